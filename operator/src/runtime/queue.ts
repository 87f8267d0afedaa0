// Keyed work queue: one entry per key, never two workers on one key, delayed adds, priorities.
// The same contract as client-go's workqueue; it knows nothing of what a key stands for.
import type { Clock, Timer } from "./clock.ts";

export type QueueHooks = {
  onDepth?(depth: number): void;
  onAdd?(key: string): void;
  /** Time from becoming ready to being taken. */
  onTaken?(key: string, waitedMs: number): void;
};

export type AddOptions = {
  /** Higher goes first; equal ones in order of arrival. Default 0. */
  priority?: number;
};

type Ready = { priority: number; sinceMs: number };
type Delayed = { atMs: number; priority: number };

export class KeyedQueue {
  readonly #clock: Clock;
  readonly #hooks: QueueHooks;
  /** Keys that can be taken now. */
  readonly #ready = new Map<string, Ready>();
  /** Insertion-ordered keys per priority. */
  readonly #lanes = new Map<number, Set<string>>();
  /** Keys that a worker holds. */
  readonly #held = new Set<string>();
  /** Added again while held: becomes ready at `done`. */
  readonly #again = new Map<string, number>();
  readonly #delayed = new Map<string, Delayed>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  #timer: Timer | undefined;
  #timerAtMs = Infinity;
  #closed = false;

  constructor(clock: Clock, hooks: QueueHooks = {}) {
    this.#clock = clock;
    this.#hooks = hooks;
  }

  get depth(): number {
    return this.#ready.size;
  }

  get heldCount(): number {
    return this.#held.size;
  }

  get delayedCount(): number {
    return this.#delayed.size;
  }

  /** Makes the key ready. A key that is being worked on becomes ready again when its worker is done: nothing is lost. */
  add(key: string, options: AddOptions = {}): void {
    if (this.#closed) return;
    const priority = options.priority ?? 0;
    this.#hooks.onAdd?.(key);
    if (this.#held.has(key)) {
      this.#again.set(key, Math.max(priority, this.#again.get(key) ?? -Infinity));
      return;
    }
    this.#makeReady(key, priority);
  }

  /** Makes the key ready after the delay. Of several delayed adds of one key the earliest counts. */
  addAfter(key: string, delayMs: number, options: AddOptions = {}): void {
    if (this.#closed) return;
    if (!(delayMs > 0)) {
      this.add(key, options);
      return;
    }
    const priority = options.priority ?? 0;
    const atMs = this.#clock.monotonicMs() + delayMs;
    const present = this.#delayed.get(key);
    this.#delayed.set(
      key,
      present === undefined
        ? { atMs, priority }
        : { atMs: Math.min(present.atMs, atMs), priority: Math.max(present.priority, priority) },
    );
    this.#arm(this.#delayed.get(key)?.atMs ?? atMs);
  }

  /** The next key, or undefined once the queue is closed. The caller owns the key until `done(key)`. */
  take(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    const key = this.#shift();
    if (key !== undefined) return Promise.resolve(key);
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  /** Gives the key back. */
  done(key: string): void {
    if (!this.#held.delete(key)) return;
    const priority = this.#again.get(key);
    if (priority === undefined) return;
    this.#again.delete(key);
    if (!this.#closed) this.#makeReady(key, priority);
  }

  /** Drops what waits; workers that wait get undefined. Keys that are held stay with their workers. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#ready.clear();
    this.#lanes.clear();
    this.#delayed.clear();
    this.#again.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
    this.#hooks.onDepth?.(0);
  }

  #makeReady(key: string, priority: number): void {
    const present = this.#ready.get(key);
    if (present !== undefined) {
      if (present.priority >= priority) return;
      this.#lanes.get(present.priority)?.delete(key);
      present.priority = priority;
    } else {
      this.#ready.set(key, { priority, sinceMs: this.#clock.monotonicMs() });
    }
    const lane = this.#lanes.get(priority);
    if (lane === undefined) this.#lanes.set(priority, new Set([key]));
    else lane.add(key);
    this.#hooks.onDepth?.(this.#ready.size);
    const taker = this.#takers.shift();
    if (taker !== undefined) taker(this.#shift());
  }

  #shift(): string | undefined {
    let best = -Infinity;
    for (const [priority, lane] of this.#lanes) {
      if (lane.size === 0) this.#lanes.delete(priority);
      else if (priority > best) best = priority;
    }
    const lane = this.#lanes.get(best);
    const key = lane?.values().next().value;
    if (lane === undefined || key === undefined) return undefined;
    lane.delete(key);
    const entry = this.#ready.get(key);
    this.#ready.delete(key);
    this.#held.add(key);
    this.#hooks.onTaken?.(key, this.#clock.monotonicMs() - (entry?.sinceMs ?? 0));
    this.#hooks.onDepth?.(this.#ready.size);
    return key;
  }

  // One timer for the earliest delayed key: thousands of keys must not hold thousands of timers.
  #arm(atMs: number): void {
    if (this.#timer !== undefined && this.#timerAtMs <= atMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    this.#timer = this.#clock.startTimer(atMs - this.#clock.monotonicMs(), () => this.#release(), true);
  }

  #release(): void {
    this.#timer = undefined;
    this.#timerAtMs = Infinity;
    const nowMs = this.#clock.monotonicMs();
    let nextMs = Infinity;
    for (const [key, entry] of [...this.#delayed]) {
      if (entry.atMs <= nowMs) {
        this.#delayed.delete(key);
        this.add(key, { priority: entry.priority });
      } else if (entry.atMs < nextMs) {
        nextMs = entry.atMs;
      }
    }
    if (nextMs < Infinity) this.#arm(nextMs);
  }
}
