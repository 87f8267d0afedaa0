// A token bucket without a timer. Pure apart from its own level. Not here: what is counted.

export type Rate = {
  /** Tokens that come back each second. */
  readonly perSecond: number;
  /** Most tokens that it holds. */
  readonly burst: number;
};

/** Sums of fractions are off by a little: who waited as told must not be told to wait again. Tokens. */
const ROUNDING = 1e-6;

export class TokenBucket {
  #spent = 0;
  #atMs: number;

  /** Full at first. */
  constructor(nowMs: number) {
    this.#atMs = nowMs;
  }

  /**
   * Milliseconds until `cost` tokens are there; 0 = they are there now. Nothing is taken. The rate is given each time, so that a new
   * one takes effect at once.
   */
  waitFor(cost: number, rate: Rate, nowMs: number): number {
    // A wall clock may step back: then nothing comes back until it has caught up, and nothing is taken away.
    const passedMs = Math.max(0, nowMs - this.#atMs);
    this.#atMs = Math.max(this.#atMs, nowMs);
    this.#spent = Math.max(0, this.#spent - (passedMs * rate.perSecond) / 1_000);
    const missing = this.#spent + Math.min(cost, rate.burst) - rate.burst;
    return missing <= ROUNDING ? 0 : Math.max(1, Math.ceil(((missing - ROUNDING) * 1_000) / rate.perSecond));
  }

  take(cost: number): void {
    this.#spent += cost;
  }
}
