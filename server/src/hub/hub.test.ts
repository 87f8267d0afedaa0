import { describe, expect, it } from "vitest";
import { MemoryBroker, MemoryStore } from "../broker/memory.ts";
import type { Page } from "../broker/port.ts";
import { createGate } from "./gate.ts";
import { textsIn } from "../testing/frames-in.ts";
import { Hub } from "./hub.ts";
import type { Announcement } from "./hub.ts";
import type { Subscriber, Subscription } from "./subscription.ts";

const SEQ = { count: 0 };

function publish(broker: MemoryBroker) {
  SEQ.count += 1;
  return broker.publish({ stream: "t/r", producer: `p${SEQ.count}`, gen: 1, seq: 1, user: "u", data: "1" });
}

/** A broker in which something happens at the worst moment. */
class AwkwardBroker extends MemoryBroker {
  reads = 0;
  beforeSubscribe = (): Promise<unknown> => Promise.resolve();
  afterRead = (): Promise<unknown> => Promise.resolve();

  override async subscribe(stream: string): Promise<void> {
    await this.beforeSubscribe();
    await super.subscribe(stream);
  }

  override async read(stream: string, after: number, limit: number): Promise<Page> {
    this.reads += 1;
    const page = await super.read(stream, after, limit);
    await this.afterRead();
    return page;
  }
}

class Collector implements Subscriber {
  readonly lagging = new Set<Subscription>();
  deliveries = 0;
  readonly texts: string[] = [];

  push(chunk: Buffer): void {
    this.texts.push(...textsIn(chunk));
  }

  isCongested(): boolean {
    return false;
  }

  isDrained(): boolean {
    return true;
  }

  get offsets(): readonly number[] {
    return this.texts.map((text) => (JSON.parse(text) as { readonly o: number }).o);
  }
}

const clock = { now: 0 };

async function stage(store = new MemoryStore()) {
  const broker = new AwkwardBroker({ store });
  const hub = new Hub(broker, {
    now: () => clock.now,
    markDirty: (channel) => void setImmediate(() => channel.flush()),
    onDelivered: () => {},
    onGap: () => {},
  });
  await broker.start({
    publication: (publication) => hub.onPublication(publication),
    ephemeral: () => {},
    control: () => {},
    resync: () => {},
  });
  return { broker, hub, writer: new MemoryBroker({ store }) };
}

describe("a channel that is opened for somebody who comes back", () => {
  it.each([
    [0, 5, 1],
    [3, 5, 1],
    [5, 5, 1],
    // Two pages: the second one is a question of its own.
    [0, 120, 3],
  ])("from %i of %i asks the store %i times", async (after, top, reads) => {
    const { broker, hub, writer } = await stage();
    let epoch = "";
    for (let n = 0; n < top; n += 1) {
      const result = await publish(writer);
      if (result.kind === "stored") epoch = result.epoch;
    }
    const collector = new Collector();
    await hub.attach(collector, "t/r", "r", { epoch, offset: after }, () => {});
    await expect.poll(() => collector.offsets.length).toBe(top - after);
    expect(collector.offsets).toEqual(Array.from({ length: top - after }, (_, at) => after + at + 1));
    expect(broker.reads).toBe(reads);
  });
});

describe("subscribing", () => {
  it("subscribes first and reads then: what is published between the two is not missed", async () => {
    const { broker, hub, writer } = await stage();
    broker.beforeSubscribe = () => publish(writer);
    const reader = new Collector();
    const announced: Announcement[] = [];
    await hub.attach(reader, "t/r", "r", undefined, (announcement) => void announced.push(announcement));
    expect(announced).toMatchObject([{ top: 1 }]);
    await publish(writer);
    await expect.poll(() => reader.offsets).toEqual([2]);
  });

  it("delivers what is published while the top is being read", async () => {
    const { broker, hub, writer } = await stage();
    let once = true;
    broker.afterRead = async () => {
      if (!once) return;
      once = false;
      await publish(writer);
      await new Promise((resolve) => setImmediate(resolve));
    };
    const reader = new Collector();
    const announced: Announcement[] = [];
    await hub.attach(reader, "t/r", "r", undefined, (announcement) => void announced.push(announcement));
    await publish(writer);
    const top = () => announced[0]?.top ?? -1;
    await expect.poll(() => top() + reader.offsets.length).toBe(2);
    expect(reader.offsets).toEqual([1, 2].slice(top()));
  });

  it("rejects and keeps nothing while the store is away, and works afterwards", async () => {
    const { broker, hub } = await stage();
    broker.store.away = true;
    const reader = new Collector();
    await expect(hub.attach(reader, "t/r", "r", undefined, () => {})).rejects.toMatchObject({ code: "unavailable" });
    expect(hub.channels.get("t/r")?.size).toBe(0);
    broker.store.away = false;
    await hub.attach(reader, "t/r", "r", undefined, () => {});
    expect(hub.channels.get("t/r")?.size).toBe(1);
  });

  it("reads a page once for all that need it", async () => {
    const { broker, hub, writer } = await stage();
    for (let n = 0; n < 50; n += 1) await publish(writer);
    const { epoch } = (await broker.read("t/r", 0, 1)).top;
    broker.reads = 0;
    const readers = Array.from({ length: 20 }, () => new Collector());
    await Promise.all(readers.map((reader) => hub.attach(reader, "t/r", "r", { epoch, offset: 10 }, () => {})));
    await expect.poll(() => readers.every(({ texts }) => texts.length === 40)).toBe(true);
    // One for the top, one to know that nothing is missing, one to feed.
    expect(broker.reads).toBeLessThanOrEqual(3);
  });

  it("serves a recent position from memory", async () => {
    const { broker, hub, writer } = await stage();
    const first = new Collector();
    const announced: Announcement[] = [];
    await hub.attach(first, "t/r", "r", undefined, (announcement) => void announced.push(announcement));
    for (let n = 0; n < 5; n += 1) await publish(writer);
    await expect.poll(() => first.offsets).toEqual([1, 2, 3, 4, 5]);
    broker.reads = 0;
    const late = new Collector();
    await hub.attach(late, "t/r", "r", { epoch: announced[0]?.epoch ?? "", offset: 2 }, () => {});
    expect(late.offsets).toEqual([3, 4, 5]);
    expect(broker.reads).toBe(0);
  });
});

describe("a quiet channel", () => {
  it("is read now and then, so that the store does not forget it, and given up when nobody is left", async () => {
    const { broker, hub } = await stage();
    const subscription = await hub.attach(new Collector(), "t/r", "r", undefined, () => {});
    expect(hub.suspects()).toEqual([]);
    clock.now += 7 * 3_600_000;
    expect(hub.suspects()).toEqual(["t/r"]);
    broker.reads = 0;
    await hub.verify(hub.suspects());
    expect(broker.reads).toBe(1);
    expect(hub.suspects()).toEqual([]);
    hub.detach(subscription);
    hub.sweep();
    expect(hub.channels.size).toBe(1);
    clock.now += 10_000;
    hub.sweep();
    expect(hub.channels.size).toBe(0);
  });
});

describe("createGate", () => {
  it("runs so many at once and all in the end, also after failures", async () => {
    const gate = createGate(2);
    let running = 0;
    let most = 0;
    const task = async (n: number) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      if (n % 3 === 0) throw new Error("failed");
      return n;
    };
    const results = await Promise.allSettled([0, 1, 2, 3, 4, 5, 6].map((n) => gate(() => task(n))));
    expect(most).toBe(2);
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(4);
  });
});
