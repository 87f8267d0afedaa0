// What one subscriber received on one channel, kept small: a position, a hash, the holes so far and each publisher's last count.
// Whether the messages are the right ones is the oracle's question, which sees all subscribers.
import { EMPTY_HASH, extendHash, type ChainedHash } from "./chained-hash.ts";

/** How an offset relates to what came before at this subscriber. */
export type Arrival = "next" | "after-hole" | "repeated" | "late";

export class SubscriptionLog {
  readonly client: string;
  readonly channel: string;
  readonly after: number;
  #cursor: number;
  #received = 0;
  #hash: ChainedHash = EMPTY_HASH;
  #left = false;
  #witness = false;
  readonly #missing = new Set<number>();
  readonly #lastSeq = new Map<string, number>();

  constructor(client: string, channel: string, after: number) {
    this.client = client;
    this.channel = channel;
    this.after = after;
    this.#cursor = after;
  }

  /** Highest offset received. */
  get cursor(): number {
    return this.#cursor;
  }
  get received(): number {
    return this.#received;
  }
  get hash(): ChainedHash {
    return this.#hash;
  }
  get missing(): ReadonlySet<number> {
    return this.#missing;
  }
  /** It ended its subscription in the run: what came after its last message was not for it. */
  get hasLeft(): boolean {
    return this.#left;
  }

  /** An independent reading of the stream: its session never left one socket, or it read the store itself. */
  get isWitness(): boolean {
    return this.#witness;
  }

  attest(): void {
    this.#witness = true;
  }

  leave(): void {
    this.#left = true;
  }

  /** Takes the next delivery and says how it fits. */
  take(offset: number, id: string): Arrival {
    this.#received += 1;
    this.#hash = extendHash(this.#hash, offset, id);
    if (offset > this.#cursor) {
      const isNext = offset === this.#cursor + 1;
      for (let hole = this.#cursor + 1; hole < offset; hole += 1) this.#missing.add(hole);
      this.#cursor = offset;
      return isNext ? "next" : "after-hole";
    }
    return this.#missing.delete(offset) ? "late" : "repeated";
  }

  /** Notes a publisher's count; false when it is below one that was delivered before. */
  isInPublisherOrder(publisher: string, seq: number): boolean {
    const last = this.#lastSeq.get(publisher) ?? 0;
    if (seq < last) return false;
    this.#lastSeq.set(publisher, seq);
    return true;
  }
}
