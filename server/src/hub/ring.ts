// The last frames of one channel, contiguous by offset, bounded by count and bytes. Not here: anything older (the store has it).

export class Ring {
  readonly #maxCount: number;
  readonly #maxBytes: number;
  #frames: Buffer[] = [];
  /** Offset of the first frame kept. */
  #first = 0;
  #bytes = 0;

  constructor(maxCount: number, maxBytes: number) {
    this.#maxCount = maxCount;
    this.#maxBytes = maxBytes;
  }

  /** Appends the frame of `offset`; anything but the next offset starts the ring anew. */
  push(offset: number, frame: Buffer): void {
    if (this.#frames.length === 0 || offset !== this.#first + this.#frames.length) {
      this.clear();
      this.#first = offset;
    }
    this.#frames.push(frame);
    this.#bytes += frame.length;
    // Dropped in quarters, so that a full ring does not shift its array on every push.
    if (this.#frames.length <= this.#maxCount && this.#bytes <= this.#maxBytes) return;
    let drop = Math.min(this.#frames.length - 1, Math.ceil(this.#maxCount / 4));
    let kept = this.#bytes;
    for (let index = 0; index < drop; index += 1) kept -= this.#frames[index]?.length ?? 0;
    while (kept > this.#maxBytes && drop < this.#frames.length - 1) {
      kept -= this.#frames[drop]?.length ?? 0;
      drop += 1;
    }
    this.#frames.splice(0, drop);
    this.#first += drop;
    this.#bytes = kept;
  }

  /** True if every frame after `cursor` up to the newest is here, and there is at least one. */
  covers(cursor: number): boolean {
    return this.#frames.length > 0 && cursor + 1 >= this.#first && cursor + 1 < this.#first + this.#frames.length;
  }

  /** Frames after `cursor`, at most `limit`. Only when `covers(cursor)`. */
  after(cursor: number, limit: number): readonly Buffer[] {
    const start = cursor + 1 - this.#first;
    return this.#frames.slice(start, start + limit);
  }

  /** Forgets everything above `offset`: the store lost it. */
  truncate(offset: number): void {
    const keep = Math.max(0, offset - this.#first + 1);
    if (keep >= this.#frames.length) return;
    this.#frames.length = keep;
    this.#bytes = this.#frames.reduce((sum, frame) => sum + frame.length, 0);
  }

  clear(): void {
    this.#frames = [];
    this.#bytes = 0;
  }

  get bytes(): number {
    return this.#bytes;
  }
}
