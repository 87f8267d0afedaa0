// One client of the load: reads its rooms, publishes in its home at jittered intervals, tells the oracle what it sees.
import type { Oracle } from "../oracle/oracle.ts";
import type { Connect, Delivery, LoadConnection, StartPosition } from "./connection.ts";
import type { Histogram } from "./histogram.ts";
import type { Seat } from "./rooms.ts";

/** The payload: who, the publisher's own count, when by the process's monotonic clock. */
export type LoadMessage = { readonly by: string; readonly seq: number; readonly at: number; readonly fill: string };

export type Counters = {
  published: number;
  acknowledged: number;
  failed: number;
  delivered: number;
  inFlight: number;
  disconnects: number;
  toldGaps: number;
};

export const noCounters = (): Counters => ({
  published: 0,
  acknowledged: 0,
  failed: 0,
  delivered: 0,
  inFlight: 0,
  disconnects: 0,
  toldGaps: 0,
});

export type LoadClientOptions = {
  readonly seat: Seat;
  readonly connect: Connect;
  readonly oracle: Oracle;
  readonly counters: Counters;
  readonly latency: Histogram;
  readonly now: () => number;
  readonly random: () => number;
  readonly fill: string;
};

function isLoadMessage(data: unknown): data is LoadMessage {
  if (typeof data !== "object" || data === null) return false;
  const message = data as Partial<Record<keyof LoadMessage, unknown>>;
  return typeof message.by === "string" && typeof message.seq === "number" && typeof message.at === "number";
}

const idOf = (message: LoadMessage): string => `${message.by}:${message.seq}`;

export class LoadClient {
  readonly name: string;
  readonly connection: LoadConnection;
  readonly #options: LoadClientOptions;
  readonly starts = new Map<string, StartPosition>();
  /** Deliveries that came before the answer which names the start of their subscription. */
  readonly #early = new Map<string, Delivery[]>();
  #seq = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosing = false;

  constructor(options: LoadClientOptions) {
    this.#options = options;
    this.name = options.seat.client;
    this.connection = options.connect(this.name, {
      delivered: (delivery) => this.#deliver(delivery),
      disconnected: () => {
        if (!this.#isClosing) options.counters.disconnects += 1;
      },
      gap: () => {
        options.counters.toldGaps += 1;
      },
    });
  }

  /** Connects and subscribes. @param from read from there on instead of from the top. */
  async open(from?: ReadonlyMap<string, StartPosition>): Promise<void> {
    const { seat, oracle } = this.#options;
    await this.connection.open();
    for (const channel of [seat.home, ...(seat.guestOf === undefined ? [] : [seat.guestOf])]) {
      const given = from?.get(channel);
      // Told before the request: deliveries may come ahead of the answer's promise.
      if (given) oracle.subscribed({ client: this.name, channel, after: given.offset });
      const early: Delivery[] = [];
      if (!given) this.#early.set(channel, early);
      const start = await this.connection.subscribe(channel, given);
      this.starts.set(channel, start);
      if (given) continue;
      oracle.subscribed({ client: this.name, channel, after: start.offset });
      this.#early.delete(channel);
      for (const delivery of early) this.#deliver(delivery);
    }
  }

  /** Publishes about every `periodMs` until `pause`. */
  publishEvery(periodMs: number): void {
    const wait = periodMs * (0.5 + this.#options.random());
    this.#timer = setTimeout(() => {
      this.publishEvery(periodMs);
      void this.#publish();
    }, wait);
  }

  pause(): void {
    clearTimeout(this.#timer);
  }

  close(): void {
    this.#isClosing = true;
    this.pause();
    this.connection.close();
  }

  async #publish(): Promise<void> {
    const { oracle, counters, now, seat, fill } = this.#options;
    this.#seq += 1;
    const message: LoadMessage = { by: this.name, seq: this.#seq, at: now(), fill };
    const id = idOf(message);
    oracle.published({ publisher: this.name, channel: seat.home, id, at: message.at });
    counters.published += 1;
    counters.inFlight += 1;
    try {
      const offset = await this.connection.publish(seat.home, message);
      oracle.acknowledged({ channel: seat.home, id, offset, at: now() });
      counters.acknowledged += 1;
    } catch {
      // Unanswered: it may or may not be in the stream, which the oracle allows; availability counts it.
      counters.failed += 1;
    } finally {
      counters.inFlight -= 1;
    }
  }

  #deliver(delivery: Delivery): void {
    const early = this.#early.get(delivery.channel);
    if (early) {
      early.push(delivery);
      return;
    }
    const { oracle, counters, latency, now } = this.#options;
    counters.delivered += 1;
    const { channel, offset, data } = delivery;
    if (!isLoadMessage(data)) {
      oracle.received({ client: this.name, channel, offset, id: "not a message of this run", publisher: "?", seq: 0 });
      return;
    }
    latency.add(Math.max(0, now() - data.at));
    oracle.received({ client: this.name, channel, offset, id: idOf(data), publisher: data.by, seq: data.seq });
  }
}
