// People who wait for their turn, first come, first served, bounded in number and time. Pure apart from its own state. Not here: when
// it is whose turn (lobby.ts).

export interface Visitor {
  /** Nobody is there any more. */
  isGone(): boolean;
}

type Entry<V> = { readonly visitor: V; readonly untilMs: number };

export class WaitingLine<V extends Visitor> {
  #waiting: (Entry<V> | undefined)[] = [];
  #first = 0;

  get size(): number {
    return this.#waiting.length - this.#first;
  }

  enter(visitor: V, untilMs: number): void {
    this.#waiting.push({ visitor, untilMs });
  }

  /** The first who is still there, and in time. */
  next(nowMs: number, onLate: (visitor: V) => void): V | undefined {
    for (let entry = this.#shift(); entry; entry = this.#shift()) {
      if (entry.visitor.isGone()) continue;
      if (entry.untilMs >= nowMs) return entry.visitor;
      onLate(entry.visitor);
    }
    return undefined;
  }

  /** Sends away those at the head whose time is over. */
  expire(nowMs: number, onLate: (visitor: V) => void): void {
    for (let head = this.#waiting[this.#first]; head; head = this.#waiting[this.#first]) {
      const isGone = head.visitor.isGone();
      if (!isGone && head.untilMs >= nowMs) return;
      this.#shift();
      if (!isGone) onLate(head.visitor);
    }
  }

  /** Everybody, who is then no longer waiting. */
  clear(): readonly V[] {
    const all = this.#waiting.flatMap((entry) => (entry ? [entry.visitor] : []));
    this.#waiting = [];
    this.#first = 0;
    return all;
  }

  #shift(): Entry<V> | undefined {
    const entry = this.#waiting[this.#first];
    if (!entry) return undefined;
    // A place that is not emptied would keep its visitor's socket.
    this.#waiting[this.#first] = undefined;
    this.#first += 1;
    // Cut off now and then: shifting an array of thousands for each would cost more than the handshake.
    if (this.#first > 256 && this.#first * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#first);
      this.#first = 0;
    }
    return entry;
  }
}
