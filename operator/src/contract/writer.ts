// Signed writes to pods: mode and grants. Sequence numbers rise per pod and life; the epoch is the cluster's.
// Not here: what is to be written, and the budget (moves/).
import { CONTRACT_PATHS, type Grant, type ModeRequest, type PodState, WRITE_HEADERS } from "@wscluster/protocol";
import { sha256Hex, signWrite } from "@wscluster/platform";
import { z } from "zod";
import { type JsonSender, PodRequestError } from "./http-json.ts";

export type WriteTarget = {
  readonly uid: string;
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** As the pod last reported them. */
  readonly state: Pick<PodState, "bootNonce" | "seq" | "epoch">;
};

export type WriteOutcome =
  | { readonly kind: "accepted" }
  /** The pod said no; a stale epoch means that somebody newer leads. */
  | { readonly kind: "refused"; readonly code: string; readonly message: string; readonly epoch: number }
  /** It may have taken effect. */
  | { readonly kind: "unknown"; readonly message: string };

/** A `WriteAnswer` as it may come from servers of others. */
const answerSchema = z.object({
  ok: z.boolean(),
  code: z.string().optional(),
  message: z.string().optional(),
  epoch: z.number(),
  seq: z.number(),
});

export class ContractWriter {
  readonly #send: JsonSender;
  readonly #timeoutMs: number;
  /** uid/bootNonce -> last seq that was used. */
  readonly #seqs = new Map<string, number>();

  constructor(send: JsonSender, timeoutMs = 2_000) {
    this.#send = send;
    this.#timeoutMs = timeoutMs;
  }

  setMode(
    target: WriteTarget,
    request: ModeRequest,
    epoch: number,
    key: string,
    signal?: AbortSignal,
  ): Promise<WriteOutcome> {
    return this.#write(target, CONTRACT_PATHS.mode, () => request, epoch, key, signal);
  }

  grant(
    target: WriteTarget,
    grant: Omit<Grant, "epoch" | "seq">,
    epoch: number,
    key: string,
    signal?: AbortSignal,
  ): Promise<WriteOutcome> {
    return this.#write(target, CONTRACT_PATHS.grants, (seq) => ({ ...grant, epoch, seq }), epoch, key, signal);
  }

  async #write(
    target: WriteTarget,
    path: string,
    bodyFor: (seq: number) => unknown,
    epoch: number,
    key: string,
    signal: AbortSignal | undefined,
  ): Promise<WriteOutcome> {
    const { uid, host, port, state } = target;
    const life = `${uid}/${state.bootNonce}`;
    const seq = Math.max(state.seq, this.#seqs.get(life) ?? 0) + 1;
    this.#remember(life, seq);
    const body = JSON.stringify(bodyFor(seq));
    const signature = signWrite(key, {
      method: "POST",
      path,
      bodySha256: sha256Hex(body),
      podUid: uid,
      bootNonce: state.bootNonce,
      epoch,
      seq,
    });
    try {
      const answer = await this.#send({
        method: "POST",
        host,
        port,
        path,
        body,
        headers: {
          "content-type": "application/json",
          "content-length": String(Buffer.byteLength(body)),
          [WRITE_HEADERS.epoch]: String(epoch),
          [WRITE_HEADERS.seq]: String(seq),
          [WRITE_HEADERS.signature]: signature,
        },
        timeoutMs: this.#timeoutMs,
        ...(signal === undefined ? {} : { signal }),
      });
      return this.#outcomeOf(life, answer.status, answer.body);
    } catch (error) {
      if (!(error instanceof PodRequestError)) throw error;
      return { kind: "unknown", message: error.message };
    }
  }

  #outcomeOf(life: string, status: number, body: unknown): WriteOutcome {
    const parsed = answerSchema.safeParse(body);
    if (!parsed.success)
      return { kind: "unknown", message: `the pod answered ${status} and not in the contract's form` };
    if (parsed.data.ok) return { kind: "accepted" };
    this.#remember(life, parsed.data.seq);
    const { code = String(status), message = "", epoch } = parsed.data;
    return { kind: "refused", code, message, epoch };
  }

  #remember(life: string, seq: number): void {
    const before = this.#seqs.get(life) ?? 0;
    this.#seqs.delete(life);
    this.#seqs.set(life, Math.max(before, seq));
    if (this.#seqs.size <= 20_000) return;
    const oldest = this.#seqs.keys().next().value;
    if (oldest !== undefined) this.#seqs.delete(oldest);
  }
}
