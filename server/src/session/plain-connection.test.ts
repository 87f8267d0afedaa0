import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { NO_LIMITS } from "../limits/limits.ts";
import { MemoryStore } from "../testing/index.ts";
import { createStage } from "../testing/stage.ts";
import { batchesOf } from "./plain-text.ts";

const { server, connect, clear } = createStage();
const sockets: WebSocket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  await clear();
});

type Frame = Readonly<Record<string, unknown>>;

async function plain(url: string) {
  const ws = new WebSocket(url);
  sockets.push(ws);
  const texts: string[] = [];
  ws.on("message", (data) => texts.push(data.toString()));
  const closed = new Promise<number>((resolve) => ws.on("close", resolve));
  await new Promise<void>((resolve, reject) => ws.once("open", resolve).once("error", reject));
  const frames = () => texts.map((text) => JSON.parse(text) as Frame);
  return {
    ws,
    texts,
    frames,
    closed,
    send: (frame: Frame) => ws.send(JSON.stringify(frame)),
    find: async (want: Frame) => {
      const fits = (frame: Frame) => Object.entries(want).every(([key, value]) => frame[key] === value);
      await expect.poll(() => frames().some(fits), { timeout: 5_000, interval: 10 }).toBe(true);
      return frames().find(fits);
    },
  };
}

describe("a client without the subprotocol", () => {
  it("subscribes, publishes, hears itself and others, and is counted as plain", async () => {
    const a = await server();
    const client = await plain(a.url);
    client.send({ type: "authenticate", user: "ann" });
    client.send({ type: "subscribe", channel: "room", id: 1 });
    expect(await client.find({ type: "subscribed" })).toEqual({ type: "subscribed", channel: "room", id: 1 });
    expect(client.frames()[0]).toEqual({ type: "connected", user: "ann", tenant: "default" });
    client.ws.send('{"type":"publish","channel":"room","id":2,"data": {"n":1.0,"big":12345678901234567890}}');
    await client.find({ type: "published", id: 2 });
    await client.find({ type: "message", channel: "room", from: "ann" });
    expect(client.texts.find((text) => text.includes('"message"'))).toMatch(
      /"timestamp":\d{13},"data":\{"n":1\.0,"big":12345678901234567890\}\}$/,
    );
    const other = await connect(a.url);
    other.hello({ user: "bob" });
    await other.find("ready");
    other.send({ t: "pub.ephemeral", c: "room", d: "typing" });
    expect(await client.find({ type: "message", from: "bob" })).toEqual({
      type: "message",
      channel: "room",
      from: "bob",
      data: "typing",
    });
    client.send({ type: "unsubscribe", channel: "room" });
    await client.find({ type: "unsubscribed" });
    expect(await a.state()).toMatchObject({ connections: 2, sessions: { migrate: 1, resume: 0, plain: 1 } });
    client.ws.close(1_000);
    await expect.poll(async () => (await a.state()).connections).toBe(1);
  });

  it("gets what comes together in one batch, in order", async () => {
    const a = await server();
    const [client, other] = [await plain(a.url), await connect(a.url)];
    client.send({ type: "subscribe", channel: "room" });
    await client.find({ type: "subscribed" });
    other.hello();
    await other.find("ready");
    other.ws.send(
      JSON.stringify(Array.from({ length: 150 }, (_, n) => ({ t: "pub", i: n, c: "room", s: n + 1, d: n }))),
    );
    const received = () =>
      client
        .frames()
        .flatMap((frame) => (frame["type"] === "batch" ? (frame["messages"] as readonly Frame[]) : [frame]))
        .filter((frame) => frame["type"] === "message")
        .map((frame) => frame["data"]);
    await expect.poll(() => received().length).toBe(150);
    expect(received()).toEqual(Array.from({ length: 150 }, (_, n) => n));
    expect(client.frames().filter((frame) => frame["type"] === "batch").length).toBeGreaterThan(0);
  });

  it("is told what it did wrong", async () => {
    const a = await server();
    const client = await plain(a.url);
    client.send({ type: "dance", id: 4 });
    expect(await client.find({ type: "error", id: 4 })).toMatchObject({ code: "unknown-type" });
    client.send({ type: "subscribe", channel: "$sys", id: 5 });
    expect(await client.find({ type: "error", id: 5 })).toMatchObject({ code: "bad-channel" });
    client.send({ type: "ping", id: 6 });
    await client.find({ type: "pong", id: 6 });
    client.ws.send("[]");
    expect(await client.closed).toBe(4000);
  });

  it("needs a token where anonymous users are not let in, and has to say something", async () => {
    const a = await server({ anonymous: false, jwtSecret: "a-secret-of-32-characters-000000", helloDeadlineMs: 50 });
    const [wrong, silent] = [await plain(a.url), await plain(a.url)];
    wrong.send({ type: "subscribe", channel: "room" });
    expect(await wrong.closed).toBe(4001);
    expect(wrong.frames().some((frame) => frame["type"] === "subscribed")).toBe(false);
    expect(await silent.closed).toBe(4003);
  });

  it("has each of its messages counted once against its rate", async () => {
    const a = await server({ settings: { limits: { ...NO_LIMITS, messagesPerSecond: 150 } } });
    const client = await plain(a.url);
    client.send({ type: "authenticate", user: "ann" });
    await client.find({ type: "connected" });
    // Two seconds' worth may come at once.
    for (let id = 1; id <= 290; id += 1) client.send({ type: "unsubscribe", channel: "room", id });
    await client.find({ type: "unsubscribed", id: 290 });
    expect(client.frames().filter(({ type }) => type === "error")).toEqual([]);
  });

  it("publishes on after the store was away", async () => {
    const store = new MemoryStore();
    const a = await server({ broker: store });
    const client = await plain(a.url);
    client.send({ type: "publish", channel: "room", data: 1, id: 1 });
    await client.find({ type: "published", id: 1 });
    store.away = true;
    client.send({ type: "publish", channel: "room", data: 2, id: 2 });
    expect(await client.find({ type: "error", id: 2 })).toMatchObject({ code: "unavailable" });
    store.away = false;
    client.send({ type: "publish", channel: "room", data: 3, id: 3 });
    await client.find({ type: "published", id: 3 });
  });

  it("is told of the pod's end first, then closed with 1012 and a window", async () => {
    const store = new MemoryStore();
    const a = await server({ broker: store });
    const client = await plain(a.url);
    client.send({ type: "ping" });
    await client.find({ type: "pong" });
    await Promise.all([a.terminate(), client.closed]);
    expect(await client.closed).toBe(1012);
    const ends = client.frames().filter((frame) => frame["type"] === "server_shutdown");
    expect(ends.map((frame) => frame["closing"])).toEqual([false, true]);
    expect(ends[1]?.["reconnect_max_ms"]).toBeTypeOf("number");
  });

  it("is asked to come back elsewhere when load is spread", async () => {
    const store = new MemoryStore();
    const [a, b] = [await server({ broker: store }), await server({ broker: store })];
    const client = await plain(a.url);
    client.send({ type: "ping" });
    await client.find({ type: "pong" });
    const [session = ""] = a.sessions();
    expect(a.forceMove(session, b)).toBeDefined();
    expect(await client.closed).toBe(1012);
    expect(client.frames().at(-1)).toMatchObject({ type: "migrate_connection" });
    expect((await a.state()).receipts["rebalance/test"]).toMatchObject({ offered: 1, cut: 1 });
  });
});

describe("batchesOf", () => {
  it("keeps order and size", () => {
    expect(batchesOf(["1"])).toEqual(["1"]);
    const sizes = batchesOf(Array.from({ length: 250 }, (_, n) => String(n))).map(
      (text) => (JSON.parse(text) as { readonly messages: unknown[] }).messages.length,
    );
    expect(sizes).toEqual([100, 100, 50]);
  });
});
