import { afterEach, describe, expect, it } from "vitest";
import type { Hooks } from "../app/hooks.ts";
import { MemoryStore } from "../testing/index.ts";
import { createStage } from "../testing/stage.ts";

const { server, connect, clear } = createStage();
afterEach(clear);

const KEY = "a-key-of-the-back-end-0123";
const NEXT_KEY = "the-key-that-replaces-it-0123";

async function stage(store = new MemoryStore(), hooks: Hooks = {}) {
  const pod = await server({ apiKeys: [KEY, NEXT_KEY], broker: store, hooks });
  const call = async (route: string, body: unknown, key = KEY) => {
    const response = await fetch(`${pod.adminUrl}/api/v1/${route}`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}` },
      body: JSON.stringify(body),
    });
    return [response.status, (await response.json()) as Record<string, unknown>] as const;
  };
  return { pod, call };
}

describe("the back-end API", () => {
  it("publishes in bulk, once per key, and reads what is stored", async () => {
    const { pod, call } = await stage();
    const ann = await connect(pod.url);
    ann.hello({ user: "ann", sub: [{ c: "room" }, { c: "~me" }] });
    await ann.find("ready");
    const room = { type: "channel", id: "room" };
    const messages = [
      { target: room, data: { n: 1 }, key: "k1" },
      { target: room, data: { n: 1 }, key: "k1" },
      { target: { type: "user", id: "ann" }, data: "psst" },
      { target: { type: "channel", id: "~me" }, data: 0 },
    ];
    const [status, { results }] = await call("publish", { messages });
    expect(status).toBe(200);
    expect(results).toMatchObject([
      { offset: 1, dup: false },
      { offset: 1, dup: true },
      { offset: 1 },
      { error: "bad-target" },
    ]);
    await ann.find("pub", ({ c, d }) => c === "~me" && d === "psst");
    const [, history] = await call("history", { target: room });
    expect(history).toMatchObject({ top: 1, messages: [{ offset: 1, publisher: "~server/api", data: { n: 1 } }] });
  });

  it("tells who is present, and ends sessions", async () => {
    const { pod, call } = await stage();
    const [ann, bob] = [await connect(pod.url), await connect(pod.url)];
    for (const [client, user] of [
      [ann, "ann"],
      [bob, "bob"],
    ] as const)
      client.hello({ user });
    const { session } = await ann.find("welcome");
    await bob.find("ready");
    ann.send({ t: "presence.enter", i: 1, c: "room", d: "here" });
    await ann.find("presence.ok");
    expect(await call("presence", { channel: "room" })).toEqual([
      200,
      { count: 1, members: [{ session, user: "ann", data: "here" }] },
    ]);
    expect(await call("disconnect", { user: "bob" })).toEqual([202, { ok: true }]);
    expect(await bob.closed).toBe(4_100);
    expect(await call("revoke", { session })).toEqual([202, { ok: true }]);
    expect(await ann.closed).toBe(4_002);
  });

  it("tells the application and the watchers when it ends a session for good, connected or away", async () => {
    const store = new MemoryStore();
    const gone: string[] = [];
    const hooks = { disconnect: ({ user }: { readonly user: string }) => gone.push(user) };
    const { call } = await stage(store, hooks);
    const other = await server({ broker: store, hooks });
    const sessions: string[] = [];
    for (const user of ["here", "away"]) {
      const client = await connect(other.url);
      client.hello({ user });
      sessions.push((await client.find("welcome")).session);
      await client.find("ready");
      client.send({ t: "presence.enter", i: 1, c: "room", d: 1 });
      await client.find("presence.ok");
      if (user === "away") client.ws.terminate();
    }
    await expect.poll(() => other.sessions().length).toBe(1);
    for (const session of sessions) expect((await call("revoke", { session }))[0]).toBe(202);
    await expect.poll(() => gone.toSorted()).toEqual(["away", "here"]);
    await expect.poll(() => call("presence", { channel: "room" })).toEqual([200, { count: 0, members: [] }]);
    await expect.poll(() => other.sessions()).toEqual([]);
    expect(gone).toHaveLength(2);
  });

  it("finds a user on all pods, until the connection ends", async () => {
    const store = new MemoryStore();
    const { call } = await stage(store);
    const other = await server({ broker: store });
    const ann = await connect(other.url);
    ann.hello({ user: "ann", device: "phone" });
    const { session } = await ann.find("welcome");
    await ann.find("ready");
    const connections = [{ session, device: "phone", pod: other.podKey }];
    expect(await call("connections", { user: "ann" })).toEqual([200, { connections }]);
    expect(await call("connections", { user: "ann", tenant: "acme" })).toEqual([200, { connections: [] }]);
    ann.close();
    await expect.poll(() => call("connections", { user: "ann" })).toEqual([200, { connections: [] }]);
  });

  it("takes each of several keys, so that one can be replaced while both are in use", async () => {
    const { call } = await stage();
    for (const key of [KEY, NEXT_KEY]) expect((await call("connections", { user: "ann" }, key))[0]).toBe(200);
    expect((await call("connections", { user: "ann" }, "neither-of-the-two-0123"))[0]).toBe(401);
  });

  it("wants a key and a body that fits, describes itself, and is not there without a key", async () => {
    const { pod, call } = await stage();
    expect((await call("publish", { messages: [] }, "wrong"))[0]).toBe(401);
    expect((await call("publish", { messages: [] }))[0]).toBe(400);
    expect((await call("publish", { messages: [{ target: { type: "planet", id: "x" }, data: 1 }] }))[0]).toBe(400);
    const described = (await (await fetch(`${pod.adminUrl}/api/v1/openapi.json`)).json()) as { paths: object };
    expect(Object.keys(described.paths)).toEqual(
      ["publish", "history", "presence", "disconnect", "revoke", "connections"].map((route) => `/api/v1/${route}`),
    );
    const closed = await server();
    expect((await fetch(`${closed.adminUrl}/api/v1/publish`, { method: "POST", body: "{}" })).status).toBe(404);
  });
});
