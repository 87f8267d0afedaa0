import { afterEach, describe, expect, it } from "vitest";
import { MemoryStore } from "../testing/index.ts";
import type { TestServer } from "../testing/index.ts";
import type { RawClient } from "../testing/raw-client.ts";
import { createStage } from "../testing/stage.ts";

const { server, connect, clear } = createStage();
afterEach(clear);

async function session(one: TestServer): Promise<RawClient> {
  const client = await connect(one.url);
  client.hello({ sub: [{ c: "room" }] });
  await client.find("ready");
  return client;
}

/** What the SDK does when it is asked to move. */
async function follow(client: RawClient, target: TestServer): Promise<RawClient> {
  const [migrate, welcome] = [await client.find("migrate"), await client.find("welcome")];
  const { e, o } = await client.find("sub.ok");
  const next = await connect(target.url, migrate);
  next.hello({
    resume: { session: welcome.session, secret: welcome.secret ?? "", pos: [["room", e, o]] },
    ticket: migrate.ticket,
    prepare: true,
  });
  await next.find("ready");
  next.send({ t: "commit", i: 1 });
  await next.find("commit.ok");
  client.close();
  return next;
}

describe("a pod that is told to end", () => {
  it("tells its clients the pace, moves them to a peer while serving on, and is gone when they are", async () => {
    const store = new MemoryStore();
    const [a, b] = [await server({ broker: store, terminationMs: 30_000 }), await server({ broker: store })];
    const clients = [await session(a), await session(a), await session(a)];
    const startedMs = Date.now();
    const ended = a.terminate();
    const [first] = clients;
    expect(await first?.find("pace")).toMatchObject({ minMs: 0, forMs: 30_000 });
    first?.send({ t: "pub", i: 1, c: "room", s: 1, d: "still served" });
    await first?.find("pub.ok");
    const late = await session(a);
    await late.find("pace");
    await Promise.all([...clients, late].map((client) => follow(client, b)));
    await ended;
    expect(Date.now() - startedMs).toBeLessThan(20_000);
    expect(b.sessions()).toHaveLength(4);
    expect((await b.state()).receipts[`evacuate/${a.podKey}`]).toMatchObject({ offered: 4, moved: 4, cut: 0, late: 0 });
    expect(await Promise.all(clients.map(({ closed }) => closed))).toEqual([1_000, 1_000, 1_000]);
    expect(store.leases.get(a.podKey)?.lease).toMatchObject({ gone: true, terminating: true });
  }, 30_000);

  it("cuts those that did not go, with a window, and their sessions live on", async () => {
    const store = new MemoryStore();
    const [a, b] = [await server({ broker: store, terminationMs: 1_000 }), await server({ broker: store })];
    const stubborn = await session(a);
    const welcome = await stubborn.find("welcome");
    await a.terminate();
    expect(await stubborn.find("bye")).toMatchObject({ minMs: 0 });
    expect([4200, 4201]).toContain(await stubborn.closed);
    const receipts = (await b.state()).receipts[`evacuate/${a.podKey}`];
    expect((receipts?.cut ?? 0) + (receipts?.late ?? 0)).toBe(receipts?.offered);
    const again = await connect(b.url);
    again.hello({ resume: { session: welcome.session, secret: welcome.secret ?? "", pos: [] } });
    expect(await again.find("welcome")).toMatchObject({ resumed: true, g: 2 });
  });

  it("alone in its store ends at once, telling when to come back", async () => {
    const a = await server({ terminationMs: 60_000 });
    const client = await session(a);
    await a.terminate();
    expect(await client.find("bye")).toMatchObject({ code: 4200, minMs: 0 });
    expect(await client.closed).toBe(4200);
  });
});
