// `contract test`: asks a server what the operator will ask of it, and says line by line what it answers wrong. For servers of your own.
// Not here: the contract (protocol/src/contract.ts).
import { CONTRACT_PATHS, type ModeRequest, type PodState, WRITE_HEADERS, type WriteAnswer } from "@wscluster/protocol";
import { sha256Hex, signWrite } from "@wscluster/platform";
import { parsePodState } from "../contract/parse-state.ts";
import { type Answer, EXIT } from "./answers.ts";

export type ContractTestOptions = {
  /** Base URL of the admin port. */
  readonly url: string;
  /** Key of the cluster and uid of the pod, as the server was started with; without them nothing is written. */
  readonly key?: string;
  readonly podUid?: string;
  /** How long /readyz may take to follow. Default 5,000. */
  readonly readyWithinMs?: number;
  readonly fetch: (url: string, init?: RequestInit) => Promise<Response>;
};

type Check = { readonly name: string; readonly result: "ok" | "failed" | "skipped"; readonly why?: string };

const TIMEOUT_MS = 5_000;

class Failure extends Error {}

function expectThat(holds: boolean, why: string): asserts holds {
  if (!holds) throw new Failure(why);
}

export async function contractTest(options: ContractTestOptions): Promise<Answer> {
  const run = new ContractRun(options);
  await run.all();
  const failed = run.checks.filter(({ result }) => result === "failed").length;
  const lines = run.checks.map(
    ({ name, result, why }) => `${result.padEnd(7)} ${name}${why === undefined ? "" : `: ${why}`}`,
  );
  const total = `${run.checks.length - failed} of ${run.checks.length} checks passed or skipped, ${failed} failed`;
  return {
    lines: [...lines, total],
    data: { checks: run.checks, failed },
    code: failed === 0 ? EXIT.done : EXIT.failed,
  };
}

class ContractRun {
  readonly checks: Check[] = [];
  readonly #options: ContractTestOptions;
  #state: PodState | undefined;
  #epoch = 0;

  constructor(options: ContractTestOptions) {
    this.#options = options;
  }

  async all(): Promise<void> {
    await this.#check("GET /livez answers 200", async () => {
      const { status } = await this.#get(CONTRACT_PATHS.livez);
      expectThat(status === 200, `it answers ${status}`);
    });
    await this.#check("GET /readyz answers 200 or 503", async () => {
      const { status } = await this.#get(CONTRACT_PATHS.readyz);
      expectThat(status === 200 || status === 503, `it answers ${status}`);
    });
    await this.#check("GET /metrics answers a text", async () => {
      const { status, body } = await this.#get(CONTRACT_PATHS.metrics);
      expectThat(
        status === 200 && body.includes("# TYPE"),
        `it answers ${status} and no metrics in Prometheus' format`,
      );
    });
    await this.#check(`GET ${CONTRACT_PATHS.state} is the contract's form`, async () => {
      this.#state = await this.#read();
      this.#epoch = this.#state.epoch + 1;
    });
    await this.#check("the state is of one life of one pod", async () => {
      const first = this.#known();
      const next = await this.#read();
      expectThat(next.bootNonce === first.bootNonce, "`bootNonce` changes from answer to answer");
      expectThat(next.bootNonce.length >= 8, "`bootNonce` is too short to be told from that of another life");
      expectThat(next.capacity > 0, "`capacity` is 0: nobody could be moved here");
    });
    await this.#check("an unsigned write is refused and counted", async () => {
      const before = await this.#read();
      const body = JSON.stringify({ mode: before.mode, sealed: before.sealed });
      const { status } = await this.#send(CONTRACT_PATHS.mode, body, {});
      expectThat(status === 401, `it answers ${status} instead of 401`);
      const after = await this.#read();
      expectThat(after.refusedWrites > before.refusedWrites, "`refusedWrites` does not count it");
    });
    await this.#writes();
  }

  async #writes(): Promise<void> {
    const { key, podUid } = this.#options;
    if (key === undefined || podUid === undefined) {
      this.checks.push({ name: "signed writes", result: "skipped", why: "--key and --pod-uid are needed" });
      return;
    }
    const before = this.#state;
    await this.#check("a signed mode is accepted and shown", async () => {
      const answer = await this.#mode({ mode: "none", sealed: false }, 5);
      expectThat(answer.status === 200, `it answers ${answer.status}: ${answer.text}`);
      const { mode, epoch, seq } = await this.#read();
      expectThat(mode === "none", `\`mode\` is ${mode} afterwards`);
      expectThat(epoch === this.#epoch && seq === 5, `it shows epoch ${epoch} and seq ${seq} afterwards`);
    });
    await this.#check("the same seq again does nothing and gets the same answer", async () => {
      const answer = await this.#mode({ mode: "active", sealed: false }, 5);
      expectThat(answer.status === 200, `it answers ${answer.status}`);
      expectThat((await this.#read()).mode === "none", "it took effect twice");
    });
    await this.#check("a lower seq and a lower epoch are refused", async () => {
      const seq = await this.#mode({ mode: "active", sealed: false }, 4);
      expectThat(seq.status === 409 && seq.answer?.ok === false, `a lower seq gets ${seq.status} instead of 409`);
      expectThat(seq.answer.code === "stale-seq", `the code is ${seq.answer.code} instead of stale-seq`);
      const epoch = await this.#mode({ mode: "active", sealed: false }, 9, this.#epoch - 1);
      expectThat(
        epoch.status === 409 && epoch.answer?.ok === false,
        `a lower epoch gets ${epoch.status} instead of 409`,
      );
      expectThat(epoch.answer.code === "stale-epoch", `the code is ${epoch.answer.code} instead of stale-epoch`);
    });
    await this.#check("a wrong signature is refused", async () => {
      const answer = await this.#mode({ mode: "active", sealed: false }, 10, this.#epoch, `${key}x`);
      expectThat(answer.status === 401, `it answers ${answer.status} instead of 401`);
    });
    await this.#check("a grant for nobody is accepted", async () => {
      const grant = { intent: "rollout/contract-test/1", count: 0, windowMs: 1_000, targets: [], deadlineMs: 1_000 };
      const body = JSON.stringify({ ...grant, epoch: this.#epoch, seq: 6 });
      const answer = await this.#signed(CONTRACT_PATHS.grants, body, 6, this.#epoch, key);
      expectThat(answer.status === 200, `it answers ${answer.status}: ${answer.text}`);
    });
    await this.#check("sealed and empty, it is not ready; undone, it is ready again", async () => {
      const { connections } = await this.#read();
      if (connections > 0) throw new Failure("it has connections: test a server that nobody uses");
      await this.#mode({ mode: "none", sealed: true }, 7);
      await this.#readyzBecomes(503);
      await this.#mode({ mode: "active", sealed: false }, 8);
      await this.#readyzBecomes(200);
    });
    const deadline = (await this.#read().catch(() => undefined))?.deadlineInMs;
    if (deadline === undefined) {
      const why =
        "it shows no `deadlineInMs`: a pod of it that leaves waits for the operator, however long that is away";
      this.checks.push({ name: "a deadline is kept", result: "skipped", why });
    } else {
      await this.#check("a deadline is kept", async () => {
        await this.#mode({ mode: "none", sealed: false, deadlineMs: 600_000 }, 11);
        const { deadlineInMs } = await this.#read();
        expectThat(
          typeof deadlineInMs === "number" && deadlineInMs <= 600_000,
          `\`deadlineInMs\` is ${String(deadlineInMs)}`,
        );
        await this.#mode({ mode: "none", sealed: false }, 12);
        expectThat((await this.#read()).deadlineInMs === null, "a write without it does not lift it");
      });
    }
    if (before !== undefined) await this.#mode({ mode: before.mode, sealed: before.sealed }, 20);
  }

  async #check(name: string, test: () => Promise<void>): Promise<void> {
    try {
      await test();
      this.checks.push({ name, result: "ok" });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.checks.push({ name, result: "failed", why });
    }
  }

  #known(): PodState {
    expectThat(this.#state !== undefined, "its state could not be read");
    return this.#state;
  }

  async #read(): Promise<PodState> {
    const { status, body } = await this.#get(CONTRACT_PATHS.state);
    expectThat(status === 200, `it answers ${status}`);
    const json: unknown = parseJson(body);
    const parsed = parsePodState(json, keyOf(json));
    expectThat(parsed.ok, parsed.ok ? "" : parsed.why);
    return parsed.value;
  }

  async #readyzBecomes(wanted: number): Promise<void> {
    const untilMs = Date.now() + (this.#options.readyWithinMs ?? TIMEOUT_MS);
    let status = 0;
    while (Date.now() < untilMs) {
      status = (await this.#get(CONTRACT_PATHS.readyz)).status;
      if (status === wanted) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Failure(`/readyz answers ${status} instead of ${wanted}`);
  }

  async #get(path: string): Promise<{ status: number; body: string }> {
    const response = await this.#options.fetch(this.#urlOf(path), { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return { status: response.status, body: await response.text() };
  }

  #mode(request: ModeRequest, seq: number, epoch = this.#epoch, key = this.#options.key ?? "") {
    return this.#signed(CONTRACT_PATHS.mode, JSON.stringify(request), seq, epoch, key);
  }

  #signed(path: string, body: string, seq: number, epoch: number, key: string) {
    const { podUid = "" } = this.#options;
    const { bootNonce } = this.#known();
    const signature = signWrite(key, {
      method: "POST",
      path,
      bodySha256: sha256Hex(body),
      podUid,
      bootNonce,
      epoch,
      seq,
    });
    return this.#send(path, body, {
      [WRITE_HEADERS.epoch]: String(epoch),
      [WRITE_HEADERS.seq]: String(seq),
      [WRITE_HEADERS.signature]: signature,
    });
  }

  async #send(
    path: string,
    body: string,
    headers: Record<string, string>,
  ): Promise<{ status: number; text: string; answer: WriteAnswer | undefined }> {
    const response = await this.#options.fetch(this.#urlOf(path), {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await response.text();
    const json = parseJson(text);
    return { status: response.status, text: text.slice(0, 200), answer: isWriteAnswer(json) ? json : undefined };
  }

  #urlOf(path: string): string {
    return `${this.#options.url.replace(/\/+$/, "")}${path}`;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function keyOf(state: unknown): string {
  const key: unknown = typeof state === "object" && state !== null ? Reflect.get(state, "podKey") : undefined;
  return typeof key === "string" ? key : "";
}

function isWriteAnswer(value: unknown): value is WriteAnswer {
  return typeof value === "object" && value !== null && "ok" in value;
}
