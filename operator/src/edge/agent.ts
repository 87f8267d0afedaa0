// The agent's loop: keeps the proxy as pods and instructions say, and answers what the proxy *has*. Decisions are in wanted.ts and
// reconcile.ts; this file only orders reads and writes.
import type { EdgeServerState, EdgeShare, EdgeState } from "@wscluster/protocol";
import type { Clock, Timer } from "../runtime/index.ts";
import type { EdgeCounters } from "./counters.ts";
import type { Proxy, ProxyView } from "./proxy.ts";
import { isProgrammed, planEdge, type EdgeCommand, type EdgePlan } from "./reconcile.ts";
import { endpointText } from "./server-line.ts";
import { isSameShare, type ProxyShare } from "./share.ts";
import type { EdgeSource } from "./source.ts";
import type { EdgeSnapshot, SnapshotStore } from "./snapshot.ts";
import { NO_MEMORY, wantedEdge, type WantedEdge } from "./wanted.ts";

export type EdgeLog = {
  debug(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
};

export type EdgeAgentOptions = {
  /** KEY of this edge pod. */
  readonly edge: string;
  readonly proxy: Proxy;
  readonly source: EdgeSource;
  readonly snapshots: SnapshotStore;
  readonly clock: Clock;
  readonly log: EdgeLog;
  readonly counters: EdgeCounters;
  /** Between a change and the pass that sees it. Default 20 ms. */
  readonly debounceMs?: number;
  /** Repairs what no event told. Default 5,000 ms. */
  readonly resyncMs?: number;
};

/** Proved by a read back. */
type Acknowledged = {
  readonly generation: number;
  readonly states: ReadonlyMap<string, EdgeServerState>;
  readonly share: { readonly told: EdgeShare; readonly done: ProxyShare } | undefined;
};

const RETRY_MS = 100;

export class EdgeAgent {
  readonly #options: EdgeAgentOptions;
  #wanted: WantedEdge | undefined;
  #snapshotAtMs: number | undefined;
  #savedText = "";
  #acknowledged: Acknowledged | undefined;
  #timer: Timer | undefined;
  #timerAtMs = Infinity;
  #turn: Promise<unknown> = Promise.resolve();
  #failures = 0;
  #printed: string[] = [];
  #connectionLimit = 0;
  #startedMs = 0;
  #stopped = false;

  constructor(options: EdgeAgentOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { source, proxy, snapshots, clock, log, counters } = this.#options;
    this.#startedMs = clock.monotonicMs();
    const snapshot = await snapshots.load();
    if (snapshot !== undefined) this.#recall(snapshot);
    source.onChange(() => this.#wake(this.#options.debounceMs ?? 20));
    proxy.onLost(() => {
      counters.proxyLosses++;
      log.warn({}, "the proxy went away; it is programmed again as soon as it is back");
      this.#wake(0);
    });
    source.start();
    this.#wake(0);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await Promise.all([this.#options.source.stop(), this.#turn]);
    this.#options.proxy.close();
  }

  /** True once instructions were followed for the first time, while the proxy has what it was given. */
  async isReady(): Promise<boolean> {
    const state = await this.state().catch(() => undefined);
    return state !== undefined && state.generation > 0;
  }

  /** Read from the proxy at this moment. @throws RuntimeSocketError when it does not answer */
  state(): Promise<EdgeState> {
    return this.#inTurn(async () => {
      const view = await this.#options.proxy.read();
      const acknowledged = this.#stillTrue(view);
      if (acknowledged === undefined) this.#wake(0);
      const servers: Record<string, EdgeState["servers"][string]> = {};
      for (const { key, state, address, port, sessions } of view.servers) {
        // Out of use: not even a named arrival gets there.
        if (state !== "maint") servers[key] = { state, address: endpointText(address, port), sessions };
      }
      return {
        edge: this.#options.edge,
        generation: acknowledged?.generation ?? 0,
        servers,
        ...(acknowledged?.share === undefined ? {} : { share: acknowledged.share.told }),
        connections: view.connections,
        sourceAgeMs: this.#sourceAgeMs(),
      };
    });
  }

  /** Why the newest instructions are not followed as they are, for metrics. */
  get held(): WantedEdge["held"] {
    return this.#wanted?.held;
  }

  /** Most connections that the proxy's limit of open files leaves; 0 before the first look. */
  get connectionLimit(): number {
    return this.#connectionLimit;
  }

  #recall({ servers, share, memory, savedAtMs }: EdgeSnapshot): void {
    this.#wanted = { servers, share, memory };
    this.#snapshotAtMs = savedAtMs;
    this.#options.log.info({ servers: servers.length, generation: memory.generation }, "recalled the last answer");
  }

  #sourceAgeMs(): number {
    const { source, clock } = this.#options;
    const facts = source.read();
    if (facts !== undefined) return Math.round(facts.ageMs);
    const uptimeMs = clock.monotonicMs() - this.#startedMs;
    const snapshotAgeMs = this.#snapshotAtMs === undefined ? 0 : clock.nowMs() - this.#snapshotAtMs;
    return Math.round(Math.max(uptimeMs, snapshotAgeMs));
  }

  /** What was proved, if the proxy still has it: an empty proxy after a restart must not be taken for a programmed one. */
  #stillTrue(view: ProxyView): Acknowledged | undefined {
    const acknowledged = this.#acknowledged;
    if (acknowledged === undefined) return undefined;
    const states = new Map(view.servers.map((server) => [server.key, server.state]));
    for (const [key, state] of acknowledged.states) if (states.get(key) !== state) return undefined;
    if (!isSameShare(acknowledged.share?.done, view.share)) return undefined;
    return acknowledged;
  }

  #wake(delayMs: number): void {
    const { clock } = this.#options;
    const atMs = clock.monotonicMs() + delayMs;
    if (this.#stopped || atMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    this.#timer = clock.startTimer(delayMs, () => {
      this.#timerAtMs = Infinity;
      void this.#inTurn(() => this.#pass());
    });
  }

  /** One at a time: a state read in the middle of a pass would see neither the old nor the new. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(act);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #pass(): Promise<void> {
    const { counters, log, resyncMs = 5_000 } = this.#options;
    counters.passes++;
    let nextMs = resyncMs;
    try {
      const done = await this.#program();
      this.#failures = done ? 0 : this.#failures + 1;
    } catch (error) {
      this.#failures++;
      counters.failures++;
      if (this.#failures === 1) log.warn({ error: messageOf(error) }, "cannot program the proxy; trying again");
    }
    if (this.#failures > 0) nextMs = Math.min(resyncMs, 1_000, RETRY_MS * 2 ** Math.min(this.#failures - 1, 6));
    this.#wake(nextMs);
  }

  /** True when the proxy has what it should have. */
  async #program(): Promise<boolean> {
    const { source, proxy, log } = this.#options;
    const facts = source.read();
    if (facts !== undefined) this.#want(wantedEdge(facts.pods, facts.instructions, this.#wanted?.memory ?? NO_MEMORY));
    let view = await proxy.read();
    if (this.#wanted === undefined) return true;
    const wanted = this.#wanted;
    const plan = planEdge(wanted.servers, view.servers);
    this.#printed = [];
    view = await this.#apply(plan, wanted, view);
    this.#connectionLimit = view.connectionLimit;
    const { share } = wanted;
    const cannotShare = share !== undefined && view.share === "unsupported";
    const programmed = isProgrammed(wanted.servers, view.servers) && (cannotShare || isSameShare(share, view.share));
    const fields = { open: plan.open.length, close: plan.close.length, servers: view.servers.length };
    // What the proxy printed is of use only when it did not obey; its texts differ between versions.
    if (!programmed)
      log.warn({ ...fields, printed: this.#printed.slice(0, 5) }, "the proxy does not have it all; again");
    else if (this.#printed.length > 0) log.info(fields, "programmed the proxy");
    if (programmed) {
      this.#acknowledged = {
        generation: wanted.memory.generation,
        states: new Map(wanted.servers.map((server) => [server.key, server.state])),
        share:
          share === undefined || wanted.memory.share === undefined || cannotShare
            ? undefined
            : { told: wanted.memory.share, done: share },
      };
    }
    if (facts !== undefined) await this.#save(wanted);
    return programmed;
  }

  async #apply({ open, close }: EdgePlan, wanted: WantedEdge, before: ProxyView): Promise<ProxyView> {
    const { proxy, log } = this.#options;
    let view = before;
    if (open.length > 0) {
      await this.#runAll(open);
      view = await proxy.read();
    }
    if (!isSameShare(wanted.share, view.share) && view.share !== "unsupported") {
      // After `open`, which brought its servers in, and before `close`, which may take the last of them out of use.
      await proxy.setShare(wanted.share);
      log.info(
        { percent: wanted.share?.percent ?? 0, servers: wanted.share?.keys.length ?? 0 },
        "leading a share away",
      );
      view = await proxy.read();
    }
    if (close.length === 0) return view;
    const ready = new Set(view.servers.filter((server) => server.state === "ready").map((server) => server.key));
    const taking = wanted.servers.filter((server) => server.state === "ready");
    if (taking.length > 0 && !taking.some((server) => ready.has(server.key))) {
      // Whatever went wrong with the new ones, the old ones go on.
      log.warn({ wanted: taking.length }, "no server that should take new connections could be opened; closing none");
      return view;
    }
    await this.#runAll(close);
    return proxy.read();
  }

  async #runAll(commands: readonly EdgeCommand[]): Promise<void> {
    const { proxy, log, counters } = this.#options;
    for (const command of commands) {
      const printed = (await proxy.run(command)).trim().slice(0, 200);
      counters.commands++;
      this.#printed.push(`${command.kind} ${command.key}: ${printed}`);
      log.debug({ command: command.kind, pod: command.key, printed, ...detailOf(command) }, "proxy");
    }
  }

  #want(next: WantedEdge): void {
    const { log } = this.#options;
    const last = this.#wanted;
    if (next.held !== undefined && next.held !== last?.held)
      log.warn({ reason: next.held, generation: next.memory.generation }, "keeping the last answer");
    if (next.memory.generation !== last?.memory.generation)
      log.info({ generation: next.memory.generation, takesNew: next.memory.takesNew }, "following instructions");
    this.#wanted = next;
  }

  async #save(wanted: WantedEdge): Promise<void> {
    const { snapshots, clock, log } = this.#options;
    const text = JSON.stringify([wanted.servers, wanted.share, wanted.memory]);
    if (text === this.#savedText) return;
    try {
      await snapshots.save({
        servers: wanted.servers,
        share: wanted.share,
        memory: wanted.memory,
        savedAtMs: clock.nowMs(),
      });
      this.#savedText = text;
    } catch (error) {
      // The snapshot is for bad days; a full disk must not stop the good ones.
      log.warn({ error: messageOf(error) }, "cannot keep the last answer on disk");
    }
  }
}

function detailOf(command: EdgeCommand): Record<string, unknown> {
  if (command.kind === "set-state") return { state: command.state };
  if (command.kind === "add") return { address: command.server.address, port: command.server.port };
  return command.kind === "set-address" ? { address: command.address, port: command.port } : {};
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
