// The reconcile loop: workers over a keyed queue, back-off per key, requeue, isolation of failing keys.
// It knows keys (strings) only; what a pass does is the `reconcile` function's business.
import { backoffMs, type BackoffPolicy } from "./backoff.ts";
import type { Clock, Timer } from "./clock.ts";
import { KeyedQueue, type AddOptions, type QueueHooks } from "./queue.ts";

/** What a pass answers. Throwing means: retry with back-off. */
export type ReconcileResult =
  /** Nothing to do until an event comes; with `requeueAfterMs` a new pass then (at least `minRequeueMs` away). */
  | { kind: "done"; requeueAfterMs?: number }
  /** Retrying cannot help (an invalid spec): wait for the next event. */
  | { kind: "terminal"; reason: string };

export type ReconcileContext = {
  /** Aborted when the controller stops or the pass exceeds `passTimeoutMs`: hand it to every request. */
  signal: AbortSignal;
  /** Failures in a row before this pass. */
  failures: number;
  /** Counts passes of this process; for logs. */
  passId: number;
};

export type PassOutcome = "success" | "requeue_after" | "error" | "terminal";

export type PassReport = {
  controller: string;
  key: string;
  passId: number;
  outcome: PassOutcome;
  durationMs: number;
  error?: unknown;
  retryInMs?: number;
};

export type ControllerOptions = {
  name: string;
  clock: Clock;
  /** In [0, 1). */
  random: () => number;
  reconcile: (key: string, context: ReconcileContext) => Promise<ReconcileResult>;
  /** Parallel passes, each for another key. Default 4. */
  workers?: number;
  /** Default 200 ms to 60 s. */
  backoff?: BackoffPolicy;
  /** Shortest `requeueAfterMs` that is honoured. Default 100. A stale deadline must not become a hot loop (argo-rollouts#4971). */
  minRequeueMs?: number;
  /** The pass's signal aborts after this. Default 120 000. */
  passTimeoutMs?: number;
  /** Adds all keys now and then, so that a lost wake-up is repaired (kruise#2057). */
  resync?: { everyMs: number; keys: () => Iterable<string> };
  onPass?: (report: PassReport) => void;
  queueHooks?: QueueHooks;
};

export class Controller {
  readonly #options: ControllerOptions;
  readonly #queue: KeyedQueue;
  readonly #failures = new Map<string, number>();
  readonly #stop = new AbortController();
  /** Start of each pass that is under way. */
  readonly #running = new Map<string, number>();
  #workers: Promise<void>[] = [];
  #resyncTimer: Timer | undefined;
  #passes = 0;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#queue = new KeyedQueue(options.clock, options.queueHooks);
  }

  /** Asks for a pass. Cheap, may be called at any time, also before `start`. */
  enqueue(key: string, options: AddOptions & { afterMs?: number } = {}): void {
    this.#queue.addAfter(key, options.afterMs ?? 0, options);
  }

  get depth(): number {
    return this.#queue.depth;
  }

  get activeWorkers(): number {
    return this.#queue.heldCount;
  }

  /** How long each pass that is under way has taken so far: one that hangs is seen here first. */
  get runningMs(): readonly number[] {
    const nowMs = this.#options.clock.monotonicMs();
    return [...this.#running.values()].map((sinceMs) => nowMs - sinceMs);
  }

  start(): void {
    if (this.#workers.length > 0 || this.#stop.signal.aborted) return;
    const count = this.#options.workers ?? 4;
    this.#workers = Array.from({ length: count }, () => this.#work());
    this.#armResync();
  }

  /** No new pass begins; running ones get an aborted signal and are waited for. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#resyncTimer?.cancel();
    this.#queue.close();
    await Promise.all(this.#workers);
  }

  async #work(): Promise<void> {
    for (;;) {
      const key = await this.#queue.take();
      if (key === undefined) return;
      try {
        await this.#pass(key);
      } finally {
        this.#queue.done(key);
      }
    }
  }

  async #pass(key: string): Promise<void> {
    const { clock, reconcile, passTimeoutMs = 120_000 } = this.#options;
    const startedMs = clock.monotonicMs();
    const passId = ++this.#passes;
    this.#running.set(key, startedMs);
    const failures = this.#failures.get(key) ?? 0;
    const timeout = new AbortController();
    const timer = clock.startTimer(passTimeoutMs, () => timeout.abort(), true);
    const report = (outcome: PassOutcome, more: Pick<PassReport, "error" | "retryInMs"> = {}): void => {
      const durationMs = clock.monotonicMs() - startedMs;
      this.#report({ controller: this.#options.name, key, passId, outcome, durationMs, ...more });
    };
    try {
      const signal = AbortSignal.any([this.#stop.signal, timeout.signal]);
      const result = await reconcile(key, { signal, failures, passId });
      this.#failures.delete(key);
      if (result.kind === "terminal") {
        report("terminal", { error: result.reason });
      } else if (result.requeueAfterMs === undefined) {
        report("success");
      } else {
        const retryInMs = this.#requeueDelay(result.requeueAfterMs);
        this.#queue.addAfter(key, retryInMs);
        report("requeue_after", { retryInMs });
      }
    } catch (error) {
      // Whatever one object does must not end the loop for the others.
      this.#failures.set(key, failures + 1);
      const policy = this.#options.backoff ?? { baseMs: 200, capMs: 60_000 };
      const retryInMs = backoffMs(failures + 1, policy, this.#options.random());
      this.#queue.addAfter(key, retryInMs);
      report("error", { error, retryInMs });
    } finally {
      timer.cancel();
      this.#running.delete(key);
    }
  }

  #requeueDelay(requestedMs: number): number {
    const minMs = this.#options.minRequeueMs ?? 100;
    return Number.isFinite(requestedMs) ? Math.max(minMs, requestedMs) : minMs;
  }

  #report(pass: PassReport): void {
    try {
      this.#options.onPass?.(pass);
    } catch {
      // A failing metrics hook is not a failing pass.
    }
  }

  #armResync(): void {
    const { resync, clock, random } = this.#options;
    if (resync === undefined || this.#stop.signal.aborted) return;
    // Jitter, so that many controllers do not come at once.
    const delayMs = resync.everyMs * (0.9 + 0.2 * random());
    this.#resyncTimer = clock.startTimer(
      delayMs,
      () => {
        // Lower than any event: a resync never delays a real change.
        for (const key of resync.keys()) this.#queue.add(key, { priority: -1 });
        this.#armResync();
      },
      true,
    );
  }
}
