// Nothing lost, nothing twice, and what is lost is told: under holes, failovers, dead pods and slow readers.

import { connect as connectTcp } from "node:net";
import { randomBytes } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { SUBPROTOCOL } from "@wscluster/protocol";
import { MemoryStore } from "./testing/index.ts";
import type { RawClient } from "./testing/raw-client.ts";
import { createStage } from "./testing/stage.ts";

const { server, connect, clear } = createStage();
afterEach(clear);

function offsets(client: RawClient, channel = "room"): readonly number[] {
  return client.publications(channel).map(({ o }) => o);
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

function publish(client: RawClient, from: number, to: number, data: unknown = "x"): void {
  for (const s of range(from, to)) client.send({ t: "pub", i: s, c: "room", s, d: data });
}

describe("resume", () => {
  it("works on another pod after the first was killed, though no handler of it ran", async () => {
    const store = new MemoryStore();
    const [a, b] = [await server({ broker: store }), await server({ broker: store })];
    const client = await connect(a.url);
    client.hello({ user: "ann", sub: [{ c: "room" }] });
    const welcome = await client.find("welcome");
    await client.find("ready");
    publish(client, 1, 3);
    const last = await client.find("pub.ok", ({ o }) => o === 3);
    await client.find("pub", ({ o }) => o === 3);
    await a.kill();
    const writer = await connect(b.url);
    writer.hello({ producer: { id: "w", gen: 1 } });
    publish(writer, 1, 2);
    await writer.find("pub.ok", ({ o }) => o === 5);
    const again = await connect(b.url);
    again.hello({
      resume: { session: welcome.session, secret: welcome.secret ?? "", pos: [["room", last.e, 3]] },
    });
    expect(await again.find("welcome")).toMatchObject({ resumed: true, session: welcome.session, g: 2, user: "ann" });
    expect(await again.find("sub.ok")).toMatchObject({ i: 0, recovered: true, o: 5 });
    await again.find("ready");
    expect(offsets(again)).toEqual([4, 5]);
    again.send({ t: "pub", i: 9, c: "room", s: 3, d: "repeated" });
    expect(await again.find("pub.ok")).toMatchObject({ dup: true, o: 3 });
  });

  it("subscribes the session's channels that the client gave no position of, from the top", async () => {
    const store = new MemoryStore();
    const [a, b] = [await server({ broker: store }), await server({ broker: store })];
    const client = await connect(a.url);
    client.hello({ sub: [{ c: "room" }] });
    const welcome = await client.find("welcome");
    await client.find("ready");
    client.send({ t: "sub", i: 2, c: "other" });
    await client.find("sub.ok", ({ i }) => i === 2);
    client.send({ t: "unsub", i: 3, c: "room" });
    await client.find("unsub.ok");
    client.ws.terminate();
    const again = await connect(b.url);
    again.hello({ resume: { session: welcome.session, secret: welcome.secret ?? "", pos: [] } });
    expect((await again.find("welcome")).resumed).toBe(true);
    await again.find("ready");
    expect(again.frames.filter(({ t }) => t === "sub.ok")).toMatchObject([{ c: "other", i: 0 }]);
  });

  it("with a wrong secret or an unknown session is a new session that goes on from the positions", async () => {
    const a = await server();
    const client = await connect(a.url);
    client.hello({ sub: [{ c: "room" }] });
    const welcome = await client.find("welcome");
    publish(client, 1, 3);
    const { e } = await client.find("pub.ok", ({ o }) => o === 3);
    for (const [session, secret] of [
      [welcome.session, "wrong"],
      ["unknown", welcome.secret ?? ""],
    ] as const) {
      const other = await connect(a.url);
      other.hello({ resume: { session, secret, pos: [["room", e, 1]] } });
      const fresh = await other.find("welcome");
      expect(fresh).toMatchObject({ resumed: false, g: 1 });
      expect(fresh.session).not.toBe(welcome.session);
      expect(fresh.secret).toBeDefined();
      await other.find("ready");
      expect(offsets(other)).toEqual([2, 3]);
    }
    expect(a.sessions()).toContain(welcome.session);
  });

  it("is over when the owner has been silent for longer than the ttl", async () => {
    let skewMs = 0;
    const store = new MemoryStore(() => Date.now() + skewMs);
    const [a, b] = [await server({ broker: store }), await server({ broker: store })];
    const client = await connect(a.url);
    client.hello();
    const welcome = await client.find("welcome");
    await a.kill();
    skewMs = 200_000;
    const again = await connect(b.url);
    again.hello({ resume: { session: welcome.session, secret: welcome.secret ?? "", pos: [] } });
    expect((await again.find("welcome")).resumed).toBe(false);
  });

  it("ends the former socket of a session that is taken over while it is open", async () => {
    const store = new MemoryStore();
    const [a, b] = [await server({ broker: store }), await server({ broker: store })];
    const client = await connect(a.url);
    client.hello();
    const welcome = await client.find("welcome");
    for (const [target, g] of [
      [b, 2],
      [b, 3],
    ] as const) {
      const again = await connect(target.url);
      again.hello({ resume: { session: welcome.session, secret: welcome.secret ?? "", pos: [] } });
      expect(await again.find("welcome")).toMatchObject({ resumed: true, g });
      if (g === 2) expect(await client.closed).toBe(4210);
    }
    expect(b.sessions()).toEqual([welcome.session]);
    expect(store.sessions.get(welcome.session)?.row.g).toBe(3);
  });

  it("forgets a session that its client ended, and keeps one whose socket broke", async () => {
    const store = new MemoryStore();
    const a = await server({ broker: store });
    const [polite, broken] = [await connect(a.url), await connect(a.url)];
    polite.hello();
    broken.hello();
    const ended = await polite.find("welcome");
    const kept = await broken.find("welcome");
    polite.close();
    a.breakSocket(kept.session);
    await expect.poll(() => store.sessions.has(ended.session)).toBe(false);
    await broken.closed;
    expect(store.sessions.has(kept.session)).toBe(true);
  });
});

describe("a hole in what the pod hears", () => {
  it("is filled when the next publication shows it, without a gap for anybody", async () => {
    const store = new MemoryStore();
    const dropped = new Set([3, 4]);
    const a = await server({ broker: store, drops: ({ offset }) => dropped.has(offset), pollMs: 3_600_000 });
    const client = await connect(a.url);
    client.hello({ sub: [{ c: "room" }] });
    await client.find("ready");
    publish(client, 1, 5);
    await client.find("pub", ({ o }) => o === 5);
    expect(offsets(client)).toEqual(range(1, 5));
    expect(client.frames.some(({ t }) => t === "gap")).toBe(false);
  });

  it("is filled by the poll when nothing follows", async () => {
    const store = new MemoryStore();
    const a = await server({ broker: store, drops: ({ offset }) => offset >= 2, pollMs: 50 });
    const client = await connect(a.url);
    client.hello({ sub: [{ c: "room" }] });
    await client.find("ready");
    publish(client, 1, 2);
    await client.find("pub", ({ o }) => o === 2);
    expect(offsets(client)).toEqual([1, 2]);
  });

  it("is told as a gap when the store does not have it any more", async () => {
    const store = new MemoryStore();
    const a = await server({
      broker: store,
      drops: ({ offset }) => offset >= 2 && offset <= 30,
      settings: { history: { maxLength: 5, ttlMs: 300_000 } },
      pollMs: 3_600_000,
    });
    const client = await connect(a.url);
    client.hello({ sub: [{ c: "room" }] });
    await client.find("ready");
    publish(client, 1, 31);
    await client.find("pub", ({ o }) => o === 31);
    expect(await client.find("gap")).toMatchObject({ c: "room", from: 1, to: 26, why: "history-expired" });
    expect(offsets(client)).toEqual([1, ...range(27, 31)]);
  });
});

describe("a failover of the store", () => {
  it("costs nobody anything when no write was lost", async () => {
    const store = new MemoryStore();
    const a = await server({ broker: store });
    const client = await connect(a.url);
    client.hello({ sub: [{ c: "room" }] });
    await client.find("ready");
    publish(client, 1, 2);
    const before = await client.find("pub", ({ o }) => o === 2);
    store.failOver(store.snapshot());
    publish(client, 3, 3);
    const after = await client.find("pub", ({ o }) => o === 3);
    expect(before.e).toBeUndefined();
    expect(after.e).toBe(store.streams.get("default/room")?.epoch);
    expect(offsets(client)).toEqual([1, 2, 3]);
    expect(client.frames.some(({ t }) => t === "gap")).toBe(false);
    // That the life ended may be told, for those who published; nothing that anybody was given is taken back.
    for (const frame of client.frames) if (frame.t === "diverged") expect(frame.prev.offset).toBe(2);
  });

  it("tells those who saw lost writes, in order, and only those", async () => {
    const store = new MemoryStore();
    const a = await server({ broker: store });
    const client = await connect(a.url);
    client.hello({ sub: [{ c: "room" }] });
    await client.find("ready");
    publish(client, 1, 2);
    const { e } = await client.find("pub.ok", ({ o }) => o === 2);
    const snapshot = store.snapshot();
    publish(client, 3, 5);
    await client.find("pub", ({ o }) => o === 5);
    store.failOver(snapshot);
    const diverged = await client.find("diverged");
    expect(diverged).toMatchObject({ c: "room", o: 2, prev: { epoch: e, offset: 2 } });
    client.clear();
    publish(client, 6, 6);
    expect(await client.find("err")).toMatchObject({ code: "out-of-order", last: 2 });
    publish(client, 3, 3);
    expect(await client.find("pub")).toMatchObject({ o: 3, e: diverged.e });
    // Somebody who was away and had seen offset 4 of the lost life; and one who had not.
    const [ahead, behind] = [await connect(a.url), await connect(a.url)];
    ahead.hello({ sub: [{ c: "room", from: { epoch: e, offset: 4 } }] });
    behind.hello({ sub: [{ c: "room", from: { epoch: e, offset: 1 } }] });
    await Promise.all([ahead.find("ready"), behind.find("ready")]);
    expect((await ahead.find("sub.ok")).recovered).toBe(false);
    expect(await ahead.find("diverged")).toMatchObject({ e: diverged.e, o: 2, prev: { epoch: e, offset: 2 } });
    expect(offsets(ahead)).toEqual([3]);
    expect((await behind.find("sub.ok")).recovered).toBe(true);
    expect(offsets(behind)).toEqual([2, 3]);
  });

  it("says `stream-lost` for a position of a life that nobody remembers", async () => {
    const a = await server();
    const client = await connect(a.url);
    client.hello({ sub: [{ c: "room", from: { epoch: "feedfeedfeed", offset: 7 } }] });
    const ok = await client.find("sub.ok");
    expect(ok.recovered).toBe(false);
    expect(await client.find("gap")).toMatchObject({ e: ok.e, from: 7, to: 0, why: "stream-lost" });
    await client.find("ready");
  });
});

describe("history", () => {
  it("tells a client that comes back too late what it missed and gives it the rest", async () => {
    const a = await server({ settings: { history: { maxLength: 10, ttlMs: 300_000 } } });
    const writer = await connect(a.url);
    writer.hello();
    publish(writer, 1, 250);
    const { e } = await writer.find("pub.ok", ({ o }) => o === 250);
    const late = await connect(a.url);
    late.hello({ sub: [{ c: "room", from: { epoch: e, offset: 5 } }] });
    await late.find("ready");
    expect((await late.find("sub.ok")).recovered).toBe(false);
    expect(await late.find("gap")).toMatchObject({ from: 5, to: 240, why: "history-expired" });
    expect(offsets(late)).toEqual(range(241, 250));
  });

  it("is fetched in pages", async () => {
    const a = await server();
    const writer = await connect(a.url);
    writer.hello();
    publish(writer, 1, 5, { deep: [1, 2] });
    const { e } = await writer.find("pub.ok", ({ o }) => o === 5);
    writer.send({ t: "fetch", i: 70, c: "room", from: { epoch: e, offset: 1 }, n: 3 });
    const page = await writer.find("page", ({ i }) => i === 70);
    expect(page).toMatchObject({ c: "room", e, more: true });
    expect(page.items.map(({ o, d }) => [o, d])).toEqual([2, 3, 4].map((o) => [o, { deep: [1, 2] }]));
    writer.send({ t: "fetch", i: 71, c: "room", from: { epoch: e, offset: 4 }, n: 3 });
    expect(await writer.find("page", ({ i }) => i === 71)).toMatchObject({ more: false, items: [{ o: 5 }] });
  });
});

describe("a slow reader", () => {
  it("lags, loses nothing once it reads again, and does not hold up others", async () => {
    const a = await server({
      marks: { softBytes: 64 * 1024, lowBytes: 16 * 1024, hardBytes: 8 * 1024 * 1024 },
      settings: { history: { maxLength: 5_000, ttlMs: 300_000 } },
    });
    const [slow, quick, writer] = [await connect(a.url), await connect(a.url), await connect(a.url)];
    for (const client of [slow, quick]) client.hello({ sub: [{ c: "room" }] });
    writer.hello();
    await Promise.all([slow.find("ready"), quick.find("ready")]);
    slow.ws.pause();
    const payload = "y".repeat(8 * 1024);
    const count = 2_000;
    for (const s of range(1, count)) {
      writer.send({ t: "pub", i: s, c: "room", s, d: payload });
      if (s % 100 === 0) await writer.find("pub.ok", ({ o }) => o === s);
    }
    await quick.find("pub", ({ o }) => o === count);
    expect(offsets(quick)).toEqual(range(1, count));
    const channel = [...a.pod.hub.channels.values()].find(({ name }) => name === "room");
    expect(channel?.lagging.size).toBe(1);
    const waiting = [...a.pod.registry.all].map(({ socket }) => socket.waitingBytes);
    // Bounded by the soft mark plus one tick's frames and one page, not by what was published (16 MiB).
    expect(Math.max(...waiting)).toBeLessThan(2 * 1024 * 1024);
    slow.ws.resume();
    await expect.poll(() => offsets(slow).length, { timeout: 15_000 }).toBe(count);
    expect(offsets(slow)).toEqual(range(1, count));
    await expect.poll(() => channel?.lagging.size).toBe(0);
  });
});

describe("writes", () => {
  it("leave as one buffer of complete frames per turn", async () => {
    const a = await server();
    const writer = await connect(a.url);
    writer.hello();
    publish(writer, 1, 3, "é");
    await writer.find("pub.ok", ({ o }) => o === 3);
    const { port } = new URL(a.url);
    const chunks: Buffer[] = [];
    const tcp = connectTcp(Number(port), "127.0.0.1");
    tcp.on("data", (chunk) => chunks.push(chunk));
    tcp.on("error", () => {});
    const text = JSON.stringify({
      t: "hello",
      producer: { id: "raw", gen: 1 },
      caps: [],
      sub: [{ c: "room" }],
    });
    tcp.write(
      `GET /ws HTTP/1.1\r\nHost: pod\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
        `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\nSec-WebSocket-Protocol: ${SUBPROTOCOL}\r\n\r\n`,
    );
    const body = Buffer.from(text);
    const frame = Buffer.concat([Buffer.from([0x81, 0x80 | body.length, 0, 0, 0, 0]), body]);
    expect(body.length).toBeLessThan(126);
    tcp.write(frame);
    const received = () => Buffer.concat(chunks).toString("utf8");
    await expect.poll(received).toContain('{"t":"ready"}');
    chunks.length = 0;
    // Three publications in one array of frames: stored in one turn, so handed out in one turn.
    writer.ws.send(
      JSON.stringify([4, 5, 6].map((s) => ({ t: "pub", i: s, c: "room", s, d: s === 5 ? "z".repeat(200) : "é" }))),
    );
    await expect.poll(received).toContain('"o":6');
    tcp.destroy();
    const bytes = Buffer.concat(chunks);
    const frames: string[] = [];
    for (let at = 0; at < bytes.length;) {
      expect(bytes[at]).toBe(0x81);
      const short = bytes[at + 1] ?? 0;
      const [length, header] = short < 126 ? [short, 2] : [bytes.readUInt16BE(at + 2), 4];
      frames.push(bytes.toString("utf8", at + header, at + header + length));
      at += header + length;
    }
    expect(frames.map((one) => (JSON.parse(one) as { o: number }).o)).toEqual([4, 5, 6]);
    expect(chunks).toHaveLength(1);
  });
});
