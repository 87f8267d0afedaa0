// One channel's stream as its readers and publishers know it: offset -> message id, first report wins, later ones must agree.

/** `known`: agrees. `fork`: another message holds that offset. `repeat`: the message is already stored at another offset. */
export type BookAnswer =
  | { readonly kind: "known" }
  | { readonly kind: "fork"; readonly other: string }
  | { readonly kind: "repeat"; readonly first: number };

export class StreamBook {
  readonly #idAt = new Map<number, string>();
  readonly #offsetOf = new Map<string, number>();
  #top = 0;

  /** Highest offset that anybody reported. */
  get top(): number {
    return this.#top;
  }

  get size(): number {
    return this.#idAt.size;
  }

  idAt(offset: number): string | undefined {
    return this.#idAt.get(offset);
  }

  offsetOf(id: string): number | undefined {
    return this.#offsetOf.get(id);
  }

  /** Enters a report, or compares it with the earlier ones. */
  enter(offset: number, id: string): BookAnswer {
    const other = this.#idAt.get(offset);
    if (other !== undefined) return other === id ? { kind: "known" } : { kind: "fork", other };
    this.#idAt.set(offset, id);
    if (offset > this.#top) this.#top = offset;
    const first = this.#offsetOf.get(id);
    if (first !== undefined) return { kind: "repeat", first };
    this.#offsetOf.set(id, offset);
    return { kind: "known" };
  }
}
