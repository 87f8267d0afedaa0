import { afterEach, describe, expect, it } from "vitest";
import { SignJWT } from "jose";
import { WebSocket } from "ws";
import { MemoryStore } from "../testing/index.ts";
import type { TestServer } from "../testing/index.ts";
import { createStage } from "../testing/stage.ts";
import { NO_LIMITS } from "./limits.ts";
import type { LimitSettings } from "./limits.ts";

const { server, connect, clear } = createStage();
afterEach(clear);

const limited = (change: Partial<LimitSettings>) => ({ limits: { ...NO_LIMITS, ...change } });

async function session(one: TestServer, user: string) {
  const client = await connect(one.url);
  client.hello({ user });
  await client.find("ready");
  return client;
}

describe("a quota of sessions", () => {
  it("closes the next one with 4103, and says when to try again", async () => {
    const a = await server({ settings: limited({ sessionsPerUser: 1 }) });
    const first = await session(a, "ann");
    await session(a, "bob");
    const second = await connect(a.url);
    second.hello({ user: "ann" });
    expect(await second.closed).toBe(4_103);
    expect(await second.find("err")).toMatchObject({ code: "rate-limited", afterMs: 30_000 });
    first.close();
    await first.closed;
    await expect.poll(() => a.sessions().length).toBe(1);
    await session(a, "ann");
  });

  it("lets through who resumes, here and on another pod, and who moves", async () => {
    const store = new MemoryStore();
    const settings = limited({ sessionsPerUser: 1, sessionsPerTenant: 1, sessionsPerAddress: 1 });
    const [a, b] = [await server({ broker: store, settings }), await server({ broker: store, settings })];
    const old = await session(a, "ann");
    const welcome = await old.find("welcome");
    const resume = { session: welcome.session, secret: welcome.secret ?? "", pos: [] };
    const again = await connect(a.url);
    again.hello({ resume });
    expect(await again.find("welcome")).toMatchObject({ resumed: true, g: 2 });
    await again.find("ready");
    a.forceMove(welcome.session, b);
    const migrate = await again.find("migrate");
    const moved = await connect(b.url, migrate);
    moved.hello({ resume, ticket: migrate.ticket, prepare: true });
    await moved.find("ready");
    moved.send({ t: "commit", i: 1 });
    expect(await moved.find("commit.ok")).toMatchObject({ g: 3 });
    await expect.poll(() => a.sessions()).toEqual([]);
    // It counts where it is now, and no longer where it was.
    const other = await connect(b.url);
    other.hello({ user: "ann" });
    expect(await other.closed).toBe(4_103);
    await expect.poll(() => again.ws.readyState === again.ws.OPEN && a.sessions().length).toBe(0);
    await session(a, "ann");
  });
});

describe("a rate", () => {
  it("refuses what is above it by its id and with the time to wait, and takes it then", async () => {
    // One a second: on a busy machine the bucket must not get a token back while the frames are still being read.
    const a = await server({ settings: limited({ messagesPerSecond: 1 }) });
    const client = await session(a, "ann");
    for (let s = 1; s <= 257; s += 1) client.send({ t: "pub", i: s, c: "room", s, d: s });
    const err = await client.find("err");
    expect(err).toMatchObject({ i: 257, code: "rate-limited" });
    expect(err.afterMs).toBeGreaterThan(0);
    expect(err.afterMs).toBeLessThanOrEqual(1_000);
    client.clear();
    await expect
      .poll(
        async () => {
          client.send({ t: "pub", i: 300, c: "room", s: 257, d: 257 });
          client.send({ t: "ping", i: 301 });
          await client.find("pong");
          return client.frames.some((frame) => frame.t === "pub.ok" && frame.i === 300);
        },
        { timeout: 10_000, interval: 250 },
      )
      .toBe(true);
  });

  it("never holds up an answer to a ping or the end of a move", async () => {
    const a = await server({ settings: limited({ messagesPerSecond: 1 }) });
    const client = await session(a, "ann");
    for (let i = 1; i <= 300; i += 1) client.send({ t: "ping", i });
    await client.find("pong", ({ i }) => i === 300);
    client.send({ t: "commit", i: 400 });
    expect(await client.find("err", ({ i }) => i === 400)).toMatchObject({ code: "commit-refused" });
  });

  it("closes with 4102 who goes on in spite of it", async () => {
    const a = await server({ settings: limited({ messagesPerSecond: 1 }) });
    const client = await session(a, "ann");
    for (let n = 0; n < 3_000; n += 1) client.send({ t: "pub.ephemeral", c: "room", d: n });
    expect(await client.closed).toBe(4_102);
  });

  it("holds for clients without the subprotocol too", async () => {
    const a = await server({ settings: limited({ messagesPerSecond: 1 }) });
    const ws = new WebSocket(a.url);
    const errors: unknown[] = [];
    ws.on("message", (data) => {
      const frame = JSON.parse(data.toString()) as {
        readonly type: string;
        readonly code?: string;
        readonly id?: number;
      };
      if (frame.type === "error") errors.push([frame.code, frame.id]);
    });
    const closed = new Promise((resolve) => ws.once("close", resolve));
    await new Promise((resolve) => ws.once("open", resolve));
    for (let id = 1; id <= 2_000; id += 1) ws.send(JSON.stringify({ type: "publish", channel: "room", data: id, id }));
    expect(await closed).toBe(4_102);
    expect(errors[0]).toEqual(["rate-limited", 257]);
  });

  it("of a noisy tenant leaves the others alone", async () => {
    const secret = "a-secret-of-32-characters-000000";
    const token = (sub: string, tenant: string) =>
      new SignJWT({ sub, tenant })
        .setProtectedHeader({ alg: "HS256" })
        .setExpirationTime("1m")
        .sign(new TextEncoder().encode(secret));
    const a = await server({ jwtSecret: secret, settings: limited({ tenantMessagesPerSecond: 1 }) });
    const [one, two, quiet] = [await connect(a.url), await connect(a.url), await connect(a.url)];
    one.hello({ token: await token("one", "noisy") });
    two.hello({ token: await token("two", "noisy") });
    quiet.hello({ token: await token("three", "quiet") });
    await Promise.all([one.find("ready"), two.find("ready"), quiet.find("ready")]);
    for (let s = 1; s <= 400; s += 1) one.send({ t: "pub", i: s, c: "room", s, d: s });
    await one.find("err");
    two.send({ t: "pub", i: 1, c: "room", s: 1, d: 1 });
    expect(await two.find("err")).toMatchObject({ i: 1, code: "rate-limited" });
    for (let s = 1; s <= 200; s += 1) quiet.send({ t: "pub", i: s, c: "room", s, d: s });
    await quiet.find("pub.ok", ({ i }) => i === 200);
    expect(quiet.frames.filter(({ t }) => t === "err")).toEqual([]);
  });
});
