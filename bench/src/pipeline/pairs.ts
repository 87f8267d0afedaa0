// Pairs of a publisher and a subscriber, each pair in a channel of its own: the publishers at one server, the subscribers at another.
import { pause } from "@wscluster/e2e";
import { messageOf, stampsIn } from "../fanout/message.ts";
import type { RawSocket } from "../fanout/raw-socket.ts";
import { openSubscriber } from "../fanout/subscriber.ts";
import type { Running } from "../rivals/running.ts";

const OPEN_AT_ONCE = 50;
const SILENCE_MS = 3_000;
const MS_PER_SECOND = 1_000;

export class Pairs {
  /** From the planned sending to the reading, message by message. */
  readonly delaysMs: number[] = [];
  readonly #publishers: RawSocket[] = [];
  readonly #subscribers: RawSocket[] = [];
  readonly #seqs: number[] = [];
  readonly #source: Running;
  #sent = 0;

  private constructor(source: Running) {
    this.#source = source;
  }

  static async open(count: number, source: Running, target: Running): Promise<Pairs> {
    const pairs = new Pairs(source);
    try {
      for (let first = 0; first < count; first += OPEN_AT_ONCE) {
        const size = Math.min(OPEN_AT_ONCE, count - first);
        await Promise.all(Array.from({ length: size }, (_, at) => pairs.#admit(first + at, target)));
      }
    } catch (error) {
      pairs.close();
      throw error;
    }
    return pairs;
  }

  async #admit(index: number, target: Running): Promise<void> {
    const subscriber = await openSubscriber(target, 2 * index, [channelOf(index)]);
    subscriber.stream.onText = (payload) => {
      const now = performance.now();
      for (const stamp of stampsIn(payload)) this.delaysMs.push(now - stamp);
    };
    this.#subscribers[index] = subscriber;
    this.#publishers[index] = await openSubscriber(this.#source, 2 * index + 1, []);
    this.#seqs[index] = 0;
  }

  /** Sends by the plan whatever comes back, pair after pair. Resolves to how many did not arrive. */
  async perform(perSecond: number, seconds: number, bytes: number, signal: AbortSignal): Promise<number> {
    this.delaysMs.length = 0;
    const beginMs = performance.now();
    const count = perSecond * seconds;
    for (let sent = 0; sent < count;) {
      const due = Math.min(count, Math.floor(((performance.now() - beginMs) * perSecond) / MS_PER_SECOND) + 1);
      for (; sent < due; sent += 1) {
        this.#publish(sent % this.#publishers.length, beginMs + (sent * MS_PER_SECOND) / perSecond, bytes);
      }
      await pause(1, signal);
    }
    return this.#settle(count, signal);
  }

  #publish(index: number, plannedMs: number, bytes: number): void {
    const seq = (this.#seqs[index] ?? 0) + 1;
    this.#seqs[index] = seq;
    this.#sent += 1;
    const { contender } = this.#source;
    this.#publishers[index]?.send(contender.publish(this.#sent, channelOf(index), seq, messageOf(plannedMs, bytes)));
  }

  async #settle(count: number, signal: AbortSignal): Promise<number> {
    let seen = -1;
    let sinceMs = performance.now();
    while (this.delaysMs.length < count && performance.now() - sinceMs < SILENCE_MS) {
      if (this.delaysMs.length !== seen) sinceMs = performance.now();
      seen = this.delaysMs.length;
      await pause(20, signal);
    }
    return count - this.delaysMs.length;
  }

  close(): void {
    for (const socket of [...this.#publishers, ...this.#subscribers]) socket?.destroy();
  }
}

const channelOf = (index: number): string => `pipe-${index}`;
