// Pod contract v1 on the admin port. Not here: the parts that it reports on and commands.

import { CONTRACT_PATHS, WRITE_HEADERS } from "@wscluster/protocol";
import type { ModeRequest, PodState, WriteAnswer } from "@wscluster/protocol";
import { sha256Hex, verifyWrite } from "@wscluster/platform";
import type { AdminAnswer, AdminRequest, AdminRoutes } from "@wscluster/platform";
import type { HealthCheck } from "../telemetry/health.ts";
import type { Connection } from "../session/connection.ts";
import { movePlanFor } from "./move-plan.ts";
import type { WriteGate } from "./write-gate.ts";
import { parseGrant, parseModeRequest, parsePlanRequest } from "./write-requests.ts";
import type { Parsed, ParsedGrant } from "./write-requests.ts";

export type ContractParts = {
  /** Routes of others on the same port. */
  readonly more?: AdminRoutes;
  readonly podUid: string;
  readonly bootNonce: string;
  readonly adminKeys: readonly string[];
  readonly gate: WriteGate;
  readonly state: () => Promise<PodState>;
  readonly isReady: () => boolean;
  readonly checks: () => readonly HealthCheck[];
  readonly version: string;
  readonly metrics: () => Promise<{ readonly text: string; readonly contentType: string }>;
  readonly setMode: (request: ModeRequest) => void;
  readonly setGrant: (grant: ParsedGrant) => void;
  readonly countGrant: (result: string) => void;
  readonly podKey: string;
  readonly sessions: ReadonlyMap<string, Connection>;
  /** When the figures behind the checks were last taken. */
  readonly checkedAtMs: () => number;
};

const STATUS_OF = { "stale-epoch": 409, "stale-seq": 409, "bad-signature": 401, "bad-request": 400 } as const;

function answerOf(answer: WriteAnswer): AdminAnswer {
  return { status: answer.ok ? 200 : STATUS_OF[answer.code], body: answer };
}

function integerHeader(request: AdminRequest, name: string): number | undefined {
  const value = request.headers[name];
  if (typeof value !== "string" || !/^\d{1,15}$/.test(value)) return undefined;
  return Number(value);
}

export function contractRoutes(parts: ContractParts): AdminRoutes {
  const { gate } = parts;

  /** Epoch and seq of a request that is signed for this life of this pod, else what is wrong with it. */
  function signedBy(request: AdminRequest): { readonly epoch: number; readonly seq: number } | string {
    const epoch = integerHeader(request, WRITE_HEADERS.epoch);
    const seq = integerHeader(request, WRITE_HEADERS.seq);
    const signature = request.headers[WRITE_HEADERS.signature];
    if (epoch === undefined || seq === undefined || typeof signature !== "string") {
      return "the headers for epoch, seq and signature are needed";
    }
    const signed = {
      method: request.method,
      path: request.path,
      bodySha256: sha256Hex(request.body),
      podUid: parts.podUid,
      bootNonce: parts.bootNonce,
      epoch,
      seq,
    };
    if (verifyWrite(parts.adminKeys, signed, signature)) return { epoch, seq };
    return "the signature does not fit this pod, this boot and this body";
  }

  function write<T>(
    request: AdminRequest,
    parse: (body: Buffer) => Parsed<T>,
    apply: (value: T, epoch: number, seq: number) => WriteAnswer | undefined,
  ): WriteAnswer {
    const signer = signedBy(request);
    if (typeof signer === "string") return gate.refuse("bad-signature", signer);
    const { epoch, seq } = signer;
    const verdict = gate.judge(epoch, seq);
    if (verdict.kind !== "new") return verdict.answer;
    const parsed = parse(request.body);
    if (!parsed.ok) return gate.refuse("bad-request", parsed.message);
    return apply(parsed.value, epoch, seq) ?? gate.accept(epoch, seq);
  }

  return {
    ...parts.more,
    [`GET ${CONTRACT_PATHS.livez}`]: () => ({ status: 200, body: "ok" }),
    [`GET ${CONTRACT_PATHS.readyz}`]: () =>
      parts.isReady() ? { status: 200, body: "ok" } : { status: 503, body: "not ready" },
    [`GET ${CONTRACT_PATHS.health}`]: () => {
      const checks = parts.checks();
      const ok = checks.every((check) => check.ok);
      return {
        status: ok ? 200 : 503,
        body: {
          status: ok ? "ok" : "failing",
          version: parts.version,
          updatedAt: new Date(parts.checkedAtMs()).toISOString(),
          checks,
        },
      };
    },
    [`GET ${CONTRACT_PATHS.metrics}`]: async () => {
      const { text, contentType } = await parts.metrics();
      return { status: 200, body: text, contentType };
    },
    [`GET ${CONTRACT_PATHS.state}`]: async () => ({ status: 200, body: await parts.state() }),
    [`POST ${CONTRACT_PATHS.mode}`]: (request) =>
      answerOf(
        write(request, parseModeRequest, (mode) => {
          parts.setMode(mode);
          return undefined;
        }),
      ),
    // It tells who is connected, which is nobody's business without the key; it changes nothing, so it takes no turn among the writes.
    [`POST ${CONTRACT_PATHS.plan}`]: (request) => {
      const signer = signedBy(request);
      if (typeof signer === "string")
        return { status: 401, body: { ok: false, code: "bad-signature", message: signer } };
      const parsed = parsePlanRequest(request.body);
      if (!parsed.ok) return { status: 400, body: { ok: false, code: "bad-request", message: parsed.message } };
      const { podKey, sessions } = parts;
      const facts = { podKey, connections: sessions.values(), nowMs: Date.now(), random: Math.random };
      return { status: 200, body: movePlanFor(facts, parsed.value) };
    },
    [`POST ${CONTRACT_PATHS.grants}`]: (request) => {
      const answer = write(request, parseGrant, (grant, epoch, seq) => {
        if (grant.epoch !== epoch || grant.seq !== seq) {
          return gate.refuse("bad-request", "epoch and seq of the grant must equal the headers");
        }
        parts.setGrant(grant);
        return undefined;
      });
      parts.countGrant(answer.ok ? "accepted" : answer.code);
      return answerOf(answer);
    },
  };
}
