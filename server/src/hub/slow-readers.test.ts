import { describe, expect, it } from "vitest";
import { MemoryBroker, MemoryStore } from "../broker/memory.ts";
import { textsIn } from "../testing/frames-in.ts";
import { Hub } from "./hub.ts";
import { PLAIN_TRAITS } from "./namespaces.ts";
import type { Namespace, Priority } from "./namespaces.ts";
import type { Subscriber, Subscription } from "./subscription.ts";

/** Bytes wait for it, so many that only some priorities are let through. */
class SlowReader implements Subscriber {
  readonly lagging = new Set<Subscription>();
  deliveries = 0;
  readonly texts: string[] = [];
  readonly #lets: readonly Priority[];

  constructor(lets: readonly Priority[]) {
    this.#lets = lets;
  }

  push(chunk: Buffer): void {
    this.texts.push(...textsIn(chunk));
  }

  isCongested(priority: Priority = "normal"): boolean {
    return !this.#lets.includes(priority);
  }

  isDrained(): boolean {
    return false;
  }
}

async function stage(priority: Priority) {
  const broker = new MemoryBroker({ store: new MemoryStore() });
  const namespaces: readonly Namespace[] = [{ ...PLAIN_TRAITS, names: ["room"], priority }];
  const results: (readonly [number, number])[] = [];
  let dropped = 0;
  const hub = new Hub(broker, {
    now: () => 0,
    markDirty: (channel) => void setImmediate(() => channel.flush()),
    onDelivered: (delivered, failed) => results.push([delivered, failed]),
    onDropped: (count) => (dropped += count),
    onGap: () => {},
    namespaces: () => namespaces,
  });
  await broker.start({
    publication: (publication) => hub.onPublication(publication),
    ephemeral: (stream, user, data) => hub.onEphemeral(stream, user, data),
    control: () => {},
    resync: () => {},
  });
  const [calm, busy, stuck] = [
    new SlowReader(["low", "normal", "critical"]),
    new SlowReader(["normal", "critical"]),
    new SlowReader(["critical"]),
  ];
  for (const reader of [calm, busy, stuck]) await hub.attach(reader, "t/room", "room", undefined, () => {});
  const publish = async () => {
    const before = results.length;
    await broker.publish({ stream: "t/room", user: "u", data: "1", producer: "t/u/p", gen: 1, seq: 1 });
    await expect.poll(() => results.length).toBe(before + 1);
    return results.at(-1);
  };
  const type = async () => {
    broker.publishEphemeral("t/room", "u", "1");
    await expect.poll(() => calm.texts.length).toBe(1);
    return { dropped, got: [calm, busy, stuck].map(({ texts }) => texts.length) };
  };
  return { publish, type, deliveries: () => [calm, busy, stuck].map((reader) => reader.deliveries) };
}

describe("slow readers", () => {
  it("lag, and count as not reached, where the channel is like others", async () => {
    const { publish, deliveries } = await stage("normal");
    expect(await publish()).toEqual([2, 1]);
    expect(deliveries()).toEqual([1, 1, 0]);
  });

  it("get what is critical for longer", async () => {
    const { publish } = await stage("critical");
    expect(await publish()).toEqual([3, 0]);
  });

  it("get numbered messages of a low channel like others, and its unnumbered ones are dropped early", async () => {
    expect(await (await stage("low")).publish()).toEqual([2, 1]);
    expect(await (await stage("low")).type()).toEqual({ dropped: 2, got: [1, 0, 0] });
    expect(await (await stage("normal")).type()).toEqual({ dropped: 1, got: [1, 1, 0] });
    expect(await (await stage("critical")).type()).toEqual({ dropped: 1, got: [1, 1, 0] });
  });
});
