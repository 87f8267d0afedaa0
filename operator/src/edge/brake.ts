// The storm brake of one edge: keeps the proxy's limit of new connections, and tells those who are refused when to come back.
// The proxy itself refuses, arrival by arrival; this only sets its numbers, at run time. Not here: who shares the limit out (operator).
import { ADMISSION, type EdgeAdmission, getReconnectionWindow } from "@wscluster/protocol";
import type { Clock, Timer } from "../runtime/index.ts";
import type { EdgeLog } from "./agent.ts";

/** The proxy's numbers; `unsupported`: its configuration is older than the brake. */
export type ProxyAdmission =
  | { readonly limitPerSecond: number; readonly admittedPerSecond: number; readonly refusedPerSecond: number }
  | "unsupported";

export interface AdmissionProxy {
  readAdmission(): Promise<ProxyAdmission>;
  /** 0 = no limit; `windowMs` 0 = come back when you like. */
  setAdmission(numbers: { readonly limitPerSecond: number; readonly windowMs: number }): Promise<void>;
  read(): Promise<{ readonly connections: number }>;
}

export type BrakeOptions = {
  readonly proxy: AdmissionProxy;
  /** New connections per second of this edge; undefined = no limit is wanted. */
  readonly wanted: () => number | undefined;
  readonly clock: Clock;
  readonly log: EdgeLog;
};

const EVERY_MS = 1_000;
/** Who was connected within this may be on the way back. */
const REMEMBER_MS = 300_000;
const LEAST_WINDOW_MS = 3_000;

/** The window that lets those who are missing come back without passing the limit. Pure. */
export function windowFor(missing: number, refusedPerSecond: number, limitPerSecond: number): number {
  if (refusedPerSecond <= 0 || limitPerSecond <= 0) return 0;
  // A refused client is missing, whether it was here before or not.
  const { maxMs } = getReconnectionWindow(Math.max(missing, refusedPerSecond), limitPerSecond);
  return Math.min(ADMISSION.maxWindowMs, Math.max(LEAST_WINDOW_MS, maxMs));
}

export class EdgeBrake {
  readonly #options: BrakeOptions;
  /** Most connections in each ten seconds. */
  #peaks: { readonly atMs: number; most: number }[] = [];
  #windowMs = 0;
  #state: EdgeAdmission | undefined;
  #timer: Timer | undefined;
  /** The proxy has no limit of ours; at the start it may have one that a former agent set. */
  #isNeutral = false;
  #isStopped = false;

  constructor(options: BrakeOptions) {
    this.#options = options;
  }

  start(): void {
    if (!this.#isStopped) this.#timer = this.#options.clock.startTimer(EVERY_MS, () => void this.step(), true);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** As it was a second ago at most; undefined where no limit is wanted, or none can be kept. */
  get state(): EdgeAdmission | undefined {
    return this.#state;
  }

  /** One look and one correction. Never throws: a proxy that is away is asked again. */
  async step(): Promise<void> {
    try {
      await this.#follow();
    } catch {
      // The agent's own loop tells of a proxy that does not answer.
      this.#state = undefined;
    } finally {
      this.start();
    }
  }

  async #follow(): Promise<void> {
    const { proxy, wanted, log } = this.#options;
    const limitPerSecond = Math.max(0, Math.floor(wanted() ?? 0));
    if (limitPerSecond === 0 && this.#isNeutral) return;
    const now = await proxy.readAdmission();
    if (now === "unsupported") {
      this.#state = undefined;
      this.#isNeutral = true;
      return;
    }
    const { admittedPerSecond, refusedPerSecond } = now;
    const windowMs = windowFor(await this.#missing(), refusedPerSecond, limitPerSecond);
    // Also after a restart of the proxy, which begins without a limit.
    if (now.limitPerSecond !== limitPerSecond || windowMs !== this.#windowMs) {
      await proxy.setAdmission({ limitPerSecond, windowMs });
      if (windowMs > 0 !== this.#windowMs > 0) {
        log.warn(
          { limitPerSecond, refusedPerSecond, windowMs },
          windowMs > 0 ? "a storm: refusing" : "the storm is over",
        );
      }
      this.#windowMs = windowMs;
    }
    this.#isNeutral = limitPerSecond === 0;
    this.#state = limitPerSecond === 0 ? undefined : { limitPerSecond, admittedPerSecond, refusedPerSecond, windowMs };
  }

  /** How many more were here within the last minutes than are now. */
  async #missing(): Promise<number> {
    const { proxy, clock } = this.#options;
    const { connections } = await proxy.read();
    const nowMs = clock.monotonicMs();
    const last = this.#peaks.at(-1);
    if (last !== undefined && nowMs - last.atMs < 10_000) last.most = Math.max(last.most, connections);
    else this.#peaks.push({ atMs: nowMs, most: connections });
    this.#peaks = this.#peaks.filter(({ atMs }) => nowMs - atMs < REMEMBER_MS);
    return Math.max(...this.#peaks.map(({ most }) => most)) - connections;
  }
}
