// A clock that stands still until a test moves it. Not exported by the package.

import type { Clock } from "../clock.ts";

type Timer = { readonly id: number; readonly atMs: number; readonly run: () => void };

export class VirtualClock implements Clock {
  #nowMs = 0;
  #ids = 0;
  readonly #timers = new Map<number, Timer>();

  now(): number {
    return this.#nowMs;
  }

  setTimer(run: () => void, delayMs: number): number {
    this.#ids += 1;
    this.#timers.set(this.#ids, { id: this.#ids, atMs: this.#nowMs + Math.max(0, delayMs), run });
    return this.#ids;
  }

  clearTimer(handle: unknown): void {
    this.#timers.delete(handle as number);
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** Runs every timer of the next `ms`, in order, with promises settled in between. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settle();
    for (let timer = this.#next(untilMs); timer; timer = this.#next(untilMs)) {
      this.#timers.delete(timer.id);
      this.#nowMs = timer.atMs;
      timer.run();
      await settle();
    }
    this.#nowMs = untilMs;
  }

  #next(untilMs: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers.values()) {
      if (timer.atMs > untilMs) continue;
      if (!next || timer.atMs < next.atMs || (timer.atMs === next.atMs && timer.id < next.id)) next = timer;
    }
    return next;
  }
}

/** Lets every promise that can settle without a timer do so. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i += 1) await Promise.resolve();
}
