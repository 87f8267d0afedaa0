import { afterEach, describe, expect, it } from "vitest";
import { MemoryStore } from "../testing/index.ts";
import type { TestServer } from "../testing/index.ts";
import type { RawClient } from "../testing/raw-client.ts";
import { createStage } from "../testing/stage.ts";

const { server, connect, clear } = createStage();
afterEach(clear);

type Known = { readonly session: string; readonly secret: string };

async function original(a: TestServer, instance = "one"): Promise<Known & { readonly client: RawClient }> {
  const client = await connect(a.url);
  client.hello({ instance, sub: [{ c: "room" }] });
  const { session, secret = "" } = await client.find("welcome");
  await client.find("ready");
  return { client, session, secret };
}

async function resume(target: TestServer, { session, secret }: Known, instance?: string): Promise<RawClient> {
  const client = await connect(target.url);
  client.hello({ resume: { session, secret, pos: [] }, ...(instance === undefined ? {} : { instance }) });
  await client.find("ready");
  return client;
}

const isOpen = (client: RawClient) => client.ws.readyState === client.ws.OPEN;

describe("a hello with the secret of a session that is in use", () => {
  it("by another instance is a session of its own, on the same pod and on another one; both live", async () => {
    const store = new MemoryStore();
    const [a, b] = [await server({ broker: store }), await server({ broker: store })];
    const first = await original(a);
    for (const target of [a, b]) {
      const copy = await resume(target, first, "two");
      const welcome = await copy.find("welcome");
      expect(welcome).toMatchObject({ resumed: false, g: 1 });
      expect(welcome.session).not.toBe(first.session);
    }
    first.client.send({ t: "ping", i: 1 });
    await first.client.find("pong");
    expect(a.sessions()).toContain(first.session);
  });

  it("by the same instance, or one that does not say which it is, takes it over at once", async () => {
    const store = new MemoryStore();
    const [a, b] = [await server({ broker: store }), await server({ broker: store })];
    const first = await original(a);
    const again = await resume(b, first, "one");
    expect(await again.find("welcome")).toMatchObject({ resumed: true, g: 2, session: first.session });
    expect(await first.client.closed).toBe(4210);
    const unnamed = await resume(a, first);
    expect(await unnamed.find("welcome")).toMatchObject({ resumed: true, g: 3 });
  });

  it("by another instance takes it over when the original is not there any more", async () => {
    const store = new MemoryStore();
    const [a, b] = [await server({ broker: store }), await server({ broker: store })];
    const first = await original(a);
    first.client.ws.terminate();
    await expect.poll(() => a.sessions()).toEqual([]);
    expect(await (await resume(b, first, "two")).find("welcome")).toMatchObject({ resumed: true, g: 2 });
  });

  it("is taken over once at most: a silent original loses it, and the next copy finds it in use", async () => {
    const store = new MemoryStore();
    const [a, b] = [await server({ broker: store, settings: { heartbeatMs: 100 } }), await server({ broker: store })];
    const first = await original(a);
    first.client.ws.pause();
    await expect
      .poll(() => a.pod.registry.sessions.get(first.session)?.socket.silentVisits, { interval: 5, timeout: 10_000 })
      .toBeGreaterThanOrEqual(2);
    const second = await resume(b, first, "two");
    expect(await second.find("welcome")).toMatchObject({ resumed: true });
    first.client.ws.resume();
    await first.client.closed;
    // It comes back: now it is the copy.
    const third = await resume(a, first, "one");
    expect(await third.find("welcome")).toMatchObject({ resumed: false });
    expect([second, third].map(isOpen)).toEqual([true, true]);
  });

  it("is not kept waiting by an owner that does not answer", async () => {
    const store = new MemoryStore();
    const [a, b] = [await server({ broker: store }), await server({ broker: store })];
    const first = await original(a);
    await a.kill();
    expect(await (await resume(b, first, "two")).find("welcome")).toMatchObject({ resumed: true, g: 2 });
  });
});
