// A clock that stands still until a test moves it. Timers fire in order of their time, then of their creation.
import type { Clock, Timer } from "./clock.ts";

type Pending = { atMs: number; order: number; fire: () => void };

export class FakeClock implements Clock {
  #nowMs: number;
  #wallOffsetMs: number;
  #order = 0;
  readonly #pending = new Set<Pending>();

  constructor(wallMs = 1_800_000_000_000) {
    this.#nowMs = 0;
    this.#wallOffsetMs = wallMs;
  }

  nowMs(): number {
    return this.#wallOffsetMs + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  startTimer(delayMs: number, fire: () => void): Timer {
    const entry: Pending = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, fire };
    this.#pending.add(entry);
    return { cancel: () => void this.#pending.delete(entry) };
  }

  /** How many timers are armed: a test sees leaks with it. */
  get timerCount(): number {
    return this.#pending.size;
  }

  /** Jumps the wall clock alone, as NTP or a bad host does. */
  jumpWallClock(deltaMs: number): void {
    this.#wallOffsetMs += deltaMs;
  }

  /** Moves time on; promises settled by a timer run before the next timer fires. */
  async advance(deltaMs: number): Promise<void> {
    const untilMs = this.#nowMs + deltaMs;
    await settle();
    for (;;) {
      const next = this.#next(untilMs);
      if (next === undefined) break;
      this.#pending.delete(next);
      this.#nowMs = next.atMs;
      next.fire();
      await settle();
    }
    this.#nowMs = untilMs;
    await settle();
  }

  #next(untilMs: number): Pending | undefined {
    let first: Pending | undefined;
    for (const entry of this.#pending) {
      if (entry.atMs > untilMs) continue;
      if (first === undefined || entry.atMs < first.atMs || (entry.atMs === first.atMs && entry.order < first.order)) {
        first = entry;
      }
    }
    return first;
  }
}

// One turn of the event loop: lets every already settled promise chain run to its end.
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
