// A route that fails again and again is left alone for a while. Not here: what a failure is.

export type BreakerOptions = {
  /** Failures in a row after which it opens. */
  readonly failures: number;
  /** How long it stays open before one call may try. */
  readonly openMs: number;
};

const DEFAULTS: BreakerOptions = { failures: 5, openMs: 5_000 };

export class Breaker {
  readonly #options: BreakerOptions;
  readonly #now: () => number;
  #failures = 0;
  #openUntilMs = 0;
  #isTrying = false;

  constructor(now: () => number, options: BreakerOptions = DEFAULTS) {
    this.#now = now;
    this.#options = options;
  }

  /** 0 = go on, and tell the result; else the milliseconds until another try makes sense. */
  waitMs(): number {
    if (this.#failures < this.#options.failures) return 0;
    const left = this.#openUntilMs - this.#now();
    if (left > 0) return left;
    if (this.#isTrying) return this.#options.openMs;
    this.#isTrying = true;
    return 0;
  }

  tell(isOk: boolean): void {
    this.#isTrying = false;
    this.#failures = isOk ? 0 : this.#failures + 1;
    if (this.#failures >= this.#options.failures) this.#openUntilMs = this.#now() + this.#options.openMs;
  }
}
