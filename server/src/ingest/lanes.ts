// Order while the store fails now and then. What goes into one lane is done one after another, each until it is done: were a later message
// stored while an earlier one is still in doubt, the earlier one would be taken for a duplicate. Lanes do not wait for each other.
// Not here: what is done.

export type LaneOptions = {
  readonly delay?: (ms: number) => Promise<void>;
  readonly random?: () => number;
};

/** Resolves to true when it is done, false when it is to be tried again. Never rejects. */
type Task = () => Promise<boolean>;

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2_000;

export class Lanes {
  readonly #tails = new Map<string, Promise<void>>();
  readonly #delay: (ms: number) => Promise<void>;
  readonly #random: () => number;
  #waiting = 0;
  #stopped = false;
  #onRoom: (() => void)[] = [];

  constructor({
    delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    random = Math.random,
  }: LaneOptions = {}) {
    this.#delay = delay;
    this.#random = random;
  }

  /** Tasks that are not done. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Never rejects; resolves when the task is done, or will not be. */
  run(lane: string, task: Task): Promise<void> {
    this.#waiting += 1;
    const before = this.#tails.get(lane) ?? Promise.resolve();
    const turn = before.then(() => this.#untilDone(task)).finally(() => this.#done());
    this.#tails.set(lane, turn);
    void turn.then(() => {
      if (this.#tails.get(lane) === turn) this.#tails.delete(lane);
    });
    return turn;
  }

  /** Resolves when fewer than this many are waiting, or the lanes were stopped. */
  async below(limit: number): Promise<void> {
    while (this.#waiting >= limit && !this.#stopped) {
      await new Promise<void>((resolve) => this.#onRoom.push(resolve));
    }
  }

  /** Nothing is begun or tried again from now on; resolves when nothing is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#tellRoom();
    await Promise.all(this.#tails.values());
  }

  async #untilDone(task: Task): Promise<void> {
    for (let waitMs = FIRST_RETRY_MS; !this.#stopped; waitMs = Math.min(2 * waitMs, LAST_RETRY_MS)) {
      if (await task()) return;
      await this.#delay(waitMs * (0.5 + this.#random() / 2));
    }
  }

  #done(): void {
    this.#waiting -= 1;
    this.#tellRoom();
  }

  #tellRoom(): void {
    for (const tell of this.#onRoom.splice(0)) tell();
  }
}
