// Slots for requests under way, shared out so that one cluster whose pods hang holds up no other. Not here: the requests.

export type FairSlotsOptions = {
  /** At once, in all. */
  readonly total: number;
  /** At once, of one key: less than all, so that there is always one for somebody else. */
  readonly perKey: number;
};

export class FairSlots {
  readonly #options: FairSlotsOptions;
  readonly #running = new Map<string, number>();
  /** Those who wait, by key; the key whose turn is next comes first. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #total = 0;

  constructor(options: FairSlotsOptions) {
    this.#options = options;
  }

  /** Resolves when it is this one's turn. Each is given back by `release`. */
  async take(key: string): Promise<void> {
    if (this.#mayRun(key)) {
      this.#count(key, 1);
      return;
    }
    await new Promise<void>((resolve) => {
      const queue = this.#waiting.get(key);
      if (queue === undefined) this.#waiting.set(key, [resolve]);
      else queue.push(resolve);
    });
  }

  release(key: string): void {
    this.#count(key, -1);
    for (const [next, queue] of this.#waiting) {
      if (!this.#mayRun(next)) continue;
      const wake = queue.shift();
      // Behind all others: keys take turns, however many each has.
      this.#waiting.delete(next);
      if (queue.length > 0) this.#waiting.set(next, queue);
      this.#count(next, 1);
      wake?.();
      return;
    }
  }

  /** Everybody who waits goes on at once: whoever stops needs no order. */
  drain(): void {
    for (const [key, queue] of this.#waiting) {
      for (const wake of queue) {
        this.#count(key, 1);
        wake();
      }
    }
    this.#waiting.clear();
  }

  #mayRun(key: string): boolean {
    return this.#total < this.#options.total && (this.#running.get(key) ?? 0) < this.#options.perKey;
  }

  #count(key: string, change: number): void {
    this.#total += change;
    const running = (this.#running.get(key) ?? 0) + change;
    if (running === 0) this.#running.delete(key);
    else this.#running.set(key, running);
  }
}
