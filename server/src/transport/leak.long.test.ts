import { setTimeout as pause } from "node:timers/promises";
import { queryObjects, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, describe, expect, it } from "vitest";
import { Channel } from "../hub/channel.ts";
import { Connection } from "../session/connection.ts";
import { MemoryStore } from "../testing/index.ts";
import type { TestServer } from "../testing/index.ts";
import { createStage } from "../testing/stage.ts";
import { Carrier, ClientSocket } from "./client-socket.ts";
import { RawPeer, clientFrame, textOf } from "./testing/raw-peer.ts";

const { server, clear } = createStage();
afterEach(clear);

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const AT_ONCE = 50;
const ROUNDS = 5;
const PER_ROUND = 1_000;

const hello = (index: number) =>
  textOf({
    t: "hello",
    user: `u${index}`,
    producer: { id: "p", gen: 1 },
    caps: ["resume"],
    sub: [{ c: `room-${index % 20}` }],
  });

async function ready(port: number, index: number): Promise<RawPeer> {
  const peer = await RawPeer.open(port);
  const answered = new Promise<void>((resolve) => {
    peer.tcp.on("data", () => {
      if (peer.texts.some((text) => text.includes('"ready"'))) resolve();
    });
    peer.tcp.once("close", () => resolve());
  });
  peer.send(hello(index));
  await answered;
  return peer;
}

/** Each way in which a connection can end. */
const ENDS: readonly ((port: number, index: number) => Promise<unknown>)[] = [
  async function cutBeforeHello(port) {
    const peer = await RawPeer.open(port);
    peer.tcp.resetAndDestroy();
    return peer.closed;
  },
  async function cutInsideHello(port, index) {
    const peer = await RawPeer.open(port);
    peer.send(hello(index).subarray(0, 30));
    peer.tcp.destroy();
    return peer.closed;
  },
  async function cutWhileOpening(port, index) {
    const peer = await RawPeer.open(port);
    peer.send(hello(index));
    peer.tcp.resetAndDestroy();
    return peer.closed;
  },
  async function goodBye(port, index) {
    const peer = await ready(port, index);
    peer.send(clientFrame(0x88, Buffer.from([3, 0xe8])));
    return peer.closed;
  },
  async function cut(port, index) {
    const peer = await ready(port, index);
    peer.tcp.resetAndDestroy();
    return peer.closed;
  },
  async function tooBig(port, index) {
    const peer = await ready(port, index);
    peer.send(Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 1]));
    return peer.closed;
  },
  async function noJson(port, index) {
    const peer = await ready(port, index);
    peer.send(clientFrame(0x81, "{"));
    return peer.closed;
  },
  async function publishThenCut(port, index) {
    const peer = await ready(port, index);
    peer.send(textOf({ t: "pub", i: 1, c: `room-${index % 20}`, s: 1, d: "x" }));
    peer.tcp.destroy();
    return peer.closed;
  },
];

async function round(port: number, count: number): Promise<void> {
  for (let first = 0; first < count; first += AT_ONCE) {
    await Promise.all(
      Array.from({ length: Math.min(AT_ONCE, count - first) }, async (_, at) => {
        const index = first + at;
        await ENDS[index % ENDS.length]?.(port, index);
      }),
    );
  }
}

// Not `expect.poll`, which keeps something for each call.
async function settle(a: TestServer, store: MemoryStore): Promise<void> {
  const untilMs = Date.now() + 30_000;
  while (a.pod.registry.all.size + store.sessions.size > 0) {
    if (Date.now() > untilMs)
      throw new Error(`${a.pod.registry.all.size} sockets, ${store.sessions.size} sessions left`);
    await pause(20);
  }
}

const instances = () =>
  [Connection, ClientSocket, Carrier].map((kind) => [kind.name, queryObjects(kind, { format: "count" })] as const);

type Kept = { readonly objects: number; readonly externalBytes: number; readonly heapBytes: number };

function keptNow(): Kept {
  for (let n = 0; n < 3; n += 1) collect();
  const { heapUsed, external } = process.memoryUsage();
  // Everything that inherits from Object: closures, promises, timers, maps, buffers. Counting them is exact, where the heap's size
  // also grows by machine code that the engine goes on making for minutes.
  return { objects: queryObjects(Object, { format: "count" }), externalBytes: external, heapBytes: heapUsed };
}

describe("connections that come and go", () => {
  it("leave no object and no memory behind, however they end", { timeout: 120_000 }, async () => {
    const store = new MemoryStore();
    const settings = { sessionTtlMs: 1, history: { maxLength: 5, ttlMs: 1_000 } };
    // Fast, and yet so slow that some of those who come at once wait for their turn.
    const a = await server({ broker: store, settings, lobby: { perSecond: 2_000 } });
    // Not 0: prototypes of classes that extend these are counted too.
    const atFirst = instances();
    await round(a.pod.port, PER_ROUND / 2);
    await settle(a, store);
    const rounds = [keptNow()];
    for (let n = 0; n < ROUNDS; n += 1) {
      await round(a.pod.port, PER_ROUND);
      await settle(a, store);
      rounds.push(keptNow());
    }
    // What is really kept grows in every round.
    const leastGrowth = (of: keyof Kept): number =>
      Math.min(...rounds.slice(1).map((now, index) => now[of] - (rounds[index]?.[of] ?? 0)));
    expect(leastGrowth("objects"), JSON.stringify(rounds)).toBeLessThan(3);
    expect(leastGrowth("externalBytes"), JSON.stringify(rounds)).toBeLessThan(1_024);
    expect(leastGrowth("heapBytes"), JSON.stringify(rounds)).toBeLessThan(64 * 1_024);
    expect(instances()).toEqual(atFirst);
    // One more is the pod's own, for its orders.
    expect(queryObjects(Channel, { format: "count" })).toBeLessThanOrEqual(21);
    expect(a.pod.registry.isEmpty).toBe(true);
  });
});
