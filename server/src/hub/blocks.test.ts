import { inflateRawSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BLOCK_SEPARATOR } from "@wscluster/protocol";
import { textsIn } from "../testing/frames-in.ts";
import { blockOf } from "../transport/block.ts";
import { framesOf, textFrame } from "../transport/wire-frame.ts";
import { Channel } from "./channel.ts";
import { PLAIN_TRAITS } from "./namespaces.ts";
import type { Namespace } from "./namespaces.ts";
import type { Subscriber, Subscription } from "./subscription.ts";

const FIN_BINARY = 0x82;
const BATCH_MS = 100;

const readBlock = (block: Buffer) =>
  inflateRawSync(framesOf(block)[0]?.payload ?? Buffer.alloc(0))
    .toString()
    .split(BLOCK_SEPARATOR);

class Reader implements Subscriber {
  readonly lagging = new Set<Subscription>();
  deliveries = 0;
  readonly chunks: Buffer[] = [];
  readonly takesBlocks: boolean;

  constructor(takesBlocks: boolean) {
    this.takesBlocks = takesBlocks;
  }

  push(chunk: Buffer): void {
    this.chunks.push(chunk);
  }

  isCongested(): boolean {
    return false;
  }

  isDrained(): boolean {
    return true;
  }

  get offsets(): readonly number[] {
    return this.chunks
      .flatMap((chunk) => (chunk[0] === FIN_BINARY ? readBlock(chunk) : textsIn(chunk)))
      .map((text) => (JSON.parse(text) as { readonly o: number }).o);
  }
}

function stage(traits: Partial<Namespace>) {
  const namespaces: readonly Namespace[] = [{ ...PLAIN_TRAITS, names: ["room"], batchMs: BATCH_MS, ...traits }];
  let saved = 0;
  const dirty: Channel[] = [];
  const channel = new Channel("t/room", "room", {
    now: () => Date.now(),
    markDirty: (one) => void dirty.push(one),
    onDelivered: () => {},
    onSaved: (bytes) => (saved += bytes),
    onGap: () => {},
    namespaces: () => namespaces,
  });
  channel.epoch = "e";
  const [plain, unpacks] = [new Reader(false), new Reader(true)];
  for (const reader of [plain, unpacks]) channel.addLive(channel.newSubscription(reader));
  let offset = 0;
  const publish = (count: number, data = JSON.stringify({ price: 1.25, text: "x\n y" })) => {
    for (let n = 0; n < count; n += 1) {
      offset += 1;
      channel.accept({ stream: "t/room", epoch: "e", offset, ts: offset, user: "u", data: Buffer.from(data) });
    }
  };
  /** Lets time pass, and the turn after it. */
  const pass = (ms: number) => {
    vi.advanceTimersByTime(ms);
    for (const one of dirty.splice(0)) one.flush();
  };
  const join = () => channel.addLive(channel.newSubscription(new Reader(false)));
  return { publish, pass, join, unpacks, plain, saved: () => saved };
}

const upTo = (count: number) => Array.from({ length: count }, (_, at) => at + 1);

describe("a channel that gathers", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("lets what came within its time leave together: one block, and text for who cannot read it", () => {
    const { publish, pass, unpacks, plain, saved } = stage({});
    publish(20);
    pass(BATCH_MS - 1);
    publish(10);
    expect([unpacks.chunks.length, plain.chunks.length]).toEqual([0, 0]);
    pass(1);
    expect([unpacks.offsets, plain.offsets]).toEqual([upTo(30), upTo(30)]);
    const [[block], [text]] = [unpacks.chunks, plain.chunks] as [[Buffer], [Buffer]];
    expect(block[0]).toBe(FIN_BINARY);
    expect(block.length).toBeLessThan(text.length * 0.8);
    expect(saved()).toBe(text.length - block.length);
    expect([unpacks.deliveries, plain.deliveries]).toEqual([30, 30]);
  });

  it("does not wait for more than its number, and begins anew after it", () => {
    const { publish, pass, plain } = stage({ batchSize: 10 });
    publish(10);
    pass(0);
    expect(plain.offsets).toEqual(upTo(10));
    pass(BATCH_MS / 2);
    publish(1);
    // The time of the first batch is over, that of the second is not.
    pass(BATCH_MS / 2);
    expect(plain.offsets).toEqual(upTo(10));
    pass(BATCH_MS / 2);
    expect(plain.offsets).toEqual(upTo(11));
  });

  it("begins anew when a newcomer made it send early", () => {
    const { publish, pass, join, plain } = stage({});
    publish(5);
    pass(BATCH_MS / 2);
    join();
    expect(plain.offsets).toEqual(upTo(5));
    publish(1);
    pass(BATCH_MS / 2);
    expect(plain.offsets).toEqual(upTo(5));
    pass(BATCH_MS / 2);
    expect(plain.offsets).toEqual(upTo(6));
  });

  it("sends as text what is short", () => {
    const { publish, pass, unpacks } = stage({});
    publish(3);
    pass(BATCH_MS);
    expect(textsIn(unpacks.chunks[0] ?? Buffer.alloc(0))).toHaveLength(3);
  });

  it("makes no blocks where channels do not gather", () => {
    const { publish, pass, unpacks } = stage({ batchMs: 0 });
    publish(1, JSON.stringify("a".repeat(4_000)));
    pass(0);
    expect(textsIn(unpacks.chunks[0] ?? Buffer.alloc(0))).toHaveLength(1);
  });
});

describe("a block", () => {
  it("is not made of what hardly shrinks", () => {
    let seed = 1;
    const noise = Array.from({ length: 3_000 }, () => {
      seed = (seed * 48_271) % 0x7fffffff;
      return String.fromCodePoint(33 + (seed % 90));
    }).join("");
    expect(blockOf(textFrame(JSON.stringify(noise)))).toBeUndefined();
    expect(blockOf(textFrame(JSON.stringify("a".repeat(3_000))))).toBeDefined();
  });

  it("holds frames of each length of head", () => {
    const texts = [10, 1_000, 70_000].map((length) => JSON.stringify("ä".repeat(length)));
    expect(readBlock(blockOf(Buffer.concat(texts.map(textFrame))) ?? Buffer.alloc(2))).toEqual(texts);
  });
});
