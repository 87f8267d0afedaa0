// The hub against any order of publications, lost messages, failovers, slow and late readers: each subscriber is given the stream in
// order, once, and told exactly what it cannot have.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemoryBroker, MemoryStore } from "../broker/memory.ts";
import type { Page } from "../broker/port.ts";
import { textsIn } from "../testing/frames-in.ts";
import { Hub } from "./hub.ts";
import type { Subscriber, Subscription } from "./subscription.ts";

type Frame = {
  readonly t: string;
  readonly o?: number;
  readonly e?: string;
  readonly from?: number;
  readonly to?: number;
  readonly why?: string;
  readonly d?: unknown;
  readonly prev?: { readonly epoch: string; readonly offset: number };
};

/** Keeps what the application would keep, by the client's rules. */
class Reader implements Subscriber {
  readonly lagging = new Set<Subscription>();
  deliveries = 0;
  congested = false;
  epoch = "";
  cursor = 0;
  /** Offset -> what was read there. */
  readonly seen = new Map<number, unknown>();
  readonly faults: string[] = [];

  push(chunk: Buffer): void {
    for (const text of textsIn(chunk)) this.#take(JSON.parse(text) as Frame);
  }

  #take(frame: Frame): void {
    if (frame.t === "pub") {
      if (frame.o !== this.cursor + 1) this.faults.push(`offset ${frame.o} after ${this.cursor}`);
      this.cursor = frame.o ?? 0;
      if (frame.e !== undefined) this.epoch = frame.e;
      this.seen.set(this.cursor, frame.d);
    } else if (frame.t === "gap") {
      if (frame.from !== this.cursor) this.faults.push(`gap from ${frame.from} at ${this.cursor}`);
      // Offsets of a life that nobody remembers mean nothing in the present one.
      if (frame.why === "stream-lost") this.seen.clear();
      this.cursor = frame.to ?? 0;
      this.epoch = frame.e ?? "";
    } else if (frame.t === "diverged") {
      const end = frame.prev?.offset ?? 0;
      if (this.cursor < end) this.faults.push(`diverged at ${end} though only at ${this.cursor}`);
      if (this.epoch === frame.e) this.faults.push(`told twice of ${frame.e}`);
      for (const offset of this.seen.keys()) if (offset > end) this.seen.delete(offset);
      this.cursor = frame.o ?? 0;
      this.epoch = frame.e ?? "";
    }
  }

  isCongested(): boolean {
    return this.congested;
  }

  isDrained(): boolean {
    return !this.congested;
  }
}

/** Answers a turn later than it read: much may happen in between. */
class SlowBroker extends MemoryBroker {
  override async read(stream: string, after: number, limit: number): Promise<Page> {
    const page = await super.read(stream, after, limit);
    await turn();
    return page;
  }
}

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("publish" as const), heard: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("congest" as const), who: fc.nat(2), on: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("rejoin" as const), who: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("snapshot" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("failover" as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("turn" as const), flush: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("settle" as const) }) },
);

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("Hub", () => {
  it("gives every subscriber the stream in order and once, whatever happens", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async (steps) => {
        const store = new MemoryStore();
        let hears = true;
        const broker = new SlowBroker({ store, drops: () => !hears });
        const dirty: { flush(): void }[] = [];
        const hub = new Hub(broker, {
          now: () => 0,
          markDirty: (channel) => void dirty.push(channel),
          onDelivered: () => {},
          onGap: () => {},
        });
        const flush = () => dirty.splice(0).forEach((channel) => channel.flush());
        await broker.start({
          publication: (publication) => hub.onPublication(publication),
          ephemeral: () => {},
          control: () => {},
          resync: () => {},
        });
        const readers = [new Reader(), new Reader(), new Reader()];
        const subscriptions: (Subscription | undefined)[] = [];
        const join = async (index: number) => {
          const reader = readers[index] ?? expect.unreachable();
          const former = subscriptions[index];
          if (former) hub.detach(former);
          const from = reader.epoch === "" ? undefined : { epoch: reader.epoch, offset: reader.cursor };
          subscriptions[index] = await hub.attach(reader, "t/room", "room", from, ({ epoch, top }) => {
            if (from) return;
            reader.epoch = epoch;
            reader.cursor = top;
          });
        };
        for (const index of readers.keys()) await join(index);
        const settle = async () => {
          await hub.verify(await broker.moved(hub));
          for (let n = 0; n < 40; n += 1) {
            await turn();
            flush();
          }
        };
        let seq = 0;
        let snapshot = store.snapshot();
        for (const one of steps) {
          if (one.do === "publish") {
            hears = one.heard;
            const producer = `p${(seq += 1)}`;
            await broker.publish({ stream: "t/room", producer, gen: 1, seq: 1, user: "u", data: String(seq) });
          } else if (one.do === "congest") {
            const reader = readers[one.who] ?? expect.unreachable();
            reader.congested = one.on;
            if (!one.on) hub.onDrained(reader);
          } else if (one.do === "rejoin") await join(one.who);
          else if (one.do === "snapshot") snapshot = store.snapshot();
          else if (one.do === "failover") {
            store.failOver(snapshot);
            snapshot = store.snapshot();
          } else if (one.do === "turn") {
            await turn();
            if (one.flush) flush();
          } else await settle();
        }
        hears = true;
        for (const reader of readers) {
          reader.congested = false;
          hub.onDrained(reader);
        }
        await settle();
        const stream = store.streams.get("t/room");
        const truth = new Map(
          stream?.items.map(({ offset, data }) => [offset, JSON.parse(data.toString()) as unknown]),
        );
        for (const reader of readers) {
          expect(reader.faults).toEqual([]);
          expect(reader.cursor).toBe(stream?.top ?? 0);
          for (const [offset, data] of reader.seen) expect([offset, data]).toEqual([offset, truth.get(offset)]);
        }
        await broker.stop();
      }),
      {
        numRuns: 300,
        // The poll joined a repair that had read before the last publication.
        examples: [
          // Who fell behind at the end of a life was told of the end before what led to it.
          [
            [
              { do: "publish", heard: false },
              { do: "snapshot" },
              { do: "failover" },
              { do: "congest", who: 0, on: true },
              { do: "settle" },
              { do: "publish", heard: false },
            ],
          ],
          // Who lagged when the whole stream was lost was told of the life before once more.
          [
            [
              { do: "congest", who: 0, on: true },
              { do: "publish", heard: false },
              { do: "settle" },
              { do: "failover" },
              { do: "settle" },
              { do: "failover" },
              { do: "settle" },
              { do: "turn", flush: false },
            ],
          ],
          // Who left while a hole was being read, and came back at once, was fed twice.
          [
            [
              { do: "publish", heard: true },
              { do: "publish", heard: false },
              { do: "publish", heard: true },
              { do: "turn", flush: false },
              { do: "rejoin", who: 0 },
              { do: "rejoin", who: 0 },
              { do: "publish", heard: false },
            ],
          ],
          [
            [
              { do: "publish", heard: false },
              { do: "publish", heard: true },
              { do: "turn", flush: false },
              { do: "publish", heard: false },
            ],
          ],
        ],
      },
    );
  }, 60_000);
});
