import { afterEach, describe, expect, it } from "vitest";
import { MemoryBroker, MemoryStore } from "../testing/index.ts";
import type { RawClient } from "../testing/raw-client.ts";
import { createStage } from "../testing/stage.ts";

import { Presence, placeOf } from "./presence.ts";

const { server, connect, clear } = createStage();
afterEach(clear);

async function person(url: string, user: string) {
  const client = await connect(url);
  client.hello({ user });
  const { session, secret = "" } = await client.find("welcome");
  await client.find("ready");
  return { client, session, secret };
}

async function watcher(url: string): Promise<RawClient> {
  const { client } = await person(url, "eve");
  client.send({ t: "presence.watch", i: 1, c: "room" });
  await client.find("presence.ok");
  return client;
}

async function enter(client: RawClient, d: unknown, i = 2): Promise<void> {
  client.send({ t: "presence.enter", i, c: "room", d });
  await client.find("presence.ok", (frame) => frame.i === i);
}

const changes = (client: RawClient) => client.frames.filter(({ t }) => t === "pres");
const joined = (client: RawClient, user: string) =>
  client.find("pres", ({ join = [] }) => join.some(({ u }) => u === user));

describe("presence", () => {
  it("tells watchers on every pod who comes, changes and leaves", async () => {
    const store = new MemoryStore();
    const [a, b] = [await server({ broker: store }), await server({ broker: store })];
    const ann = await person(a.url, "ann");
    await enter(ann.client, { mood: 1.0 });
    const eve = await watcher(b.url);
    expect(await eve.find("pres")).toEqual({
      t: "pres",
      c: "room",
      n: 1,
      reset: true,
      join: [{ m: ann.session, u: "ann", d: { mood: 1 } }],
    });
    const bob = await person(b.url, "bob");
    await enter(bob.client, "here");
    expect(await joined(eve, "bob")).toMatchObject({ n: 2, join: [{ m: bob.session, d: "here" }] });
    await enter(bob.client, "away", 3);
    await eve.find("pres", ({ join }) => join?.[0]?.d === "away");
    bob.client.send({ t: "presence.get", i: 4, c: "room", n: 10 });
    const page = await bob.client.find("presence.page");
    expect(page).toMatchObject({ i: 4, n: 2 });
    expect(page.items.map(({ u }) => u).sort()).toEqual(["ann", "bob"]);
    bob.client.send({ t: "presence.leave", i: 5, c: "room" });
    expect(await eve.find("pres", ({ leave }) => leave !== undefined)).toMatchObject({ n: 1, leave: [bob.session] });
    ann.client.close();
    await eve.find("pres", ({ leave }) => leave?.[0] === ann.session);
    eve.send({ t: "presence.unwatch", i: 9, c: "room" });
    await eve.find("presence.ok", ({ i }) => i === 9);
    const before = changes(eve).length;
    await enter(bob.client, 1, 6);
    const other = await watcher(a.url);
    await joined(other, "bob");
    expect(changes(eve)).toHaveLength(before);
  });

  it("does not flicker on a move or a resume, and ends with the session wherever that is", async () => {
    const store = new MemoryStore();
    const [a, b] = [await server({ broker: store }), await server({ broker: store })];
    const ann = await person(a.url, "ann");
    await enter(ann.client, 1);
    const eve = await watcher(a.url);
    await joined(eve, "ann");
    a.forceMove(ann.session, b);
    const migrate = await ann.client.find("migrate");
    const next = await connect(b.url, migrate);
    next.hello({
      resume: { session: ann.session, secret: ann.secret, pos: [] },
      ticket: migrate.ticket,
      prepare: true,
    });
    await next.find("ready");
    next.send({ t: "commit", i: 1 });
    await next.find("commit.ok");
    ann.client.close();
    await expect
      .poll(() => [...(store.places.values().next().value?.entries.values() ?? [])])
      .toMatchObject([{ g: 2, owner: b.podKey }]);
    next.ws.terminate();
    const again = await connect(a.url);
    again.hello({ resume: { session: ann.session, secret: ann.secret, pos: [] } });
    await again.find("ready");
    const bob = await person(b.url, "bob");
    await enter(bob.client, 2);
    await joined(eve, "bob");
    expect(changes(eve)).toHaveLength(2);
    again.close();
    await eve.find("pres", ({ leave }) => leave?.[0] === ann.session);
  });

  it("ends after the grace of a broken socket", async () => {
    const a = await server({ settings: { sessionTtlMs: 300 } });
    const ann = await person(a.url, "ann");
    await enter(ann.client, 1);
    const eve = await watcher(a.url);
    await joined(eve, "ann");
    ann.client.ws.terminate();
    expect(await eve.find("pres", ({ leave }) => leave !== undefined)).toMatchObject({ n: 0 });
  });

  it("of a pod that was killed is reaped by another one, and of a session that went on is not", async () => {
    let skewMs = 0;
    const store = new MemoryStore(() => Date.now() + skewMs);
    const [a, b] = [await server({ broker: store }), await server({ broker: store })];
    const [ann, bob] = [await person(a.url, "ann"), await person(a.url, "bob")];
    await enter(ann.client, 1);
    await enter(bob.client, 1);
    const eve = await watcher(b.url);
    await joined(eve, "ann");
    await a.kill();
    const again = await connect(b.url);
    again.hello({ resume: { session: bob.session, secret: bob.secret, pos: [] } });
    await again.find("ready");
    skewMs = 200_000;
    expect(await eve.find("pres", ({ leave }) => leave !== undefined)).toMatchObject({ n: 1, leave: [ann.session] });
  });

  it("is reaped only where the session is over, not where its entry is merely older than its pod", async () => {
    const broker = new MemoryBroker();
    const presence = new Presence(broker, "alive");
    const place = placeOf("t", "room");
    await presence.watch({ push: () => {} }, place, "room");
    for (const [member, owner] of [
      ["over", "dead"],
      ["moving", "dead"],
      ["mine", "alive"],
    ] as const) {
      await broker.presence.enter(place, { member, g: 1, owner, visible: '{"u":"ann","d":1}' });
    }
    await presence.reap([], (session) => Promise.resolve(session !== "moving"));
    const { entries = [] } = await broker.presence.snapshot(place, 10);
    expect(entries.map(({ member }) => member)).toEqual(["moving", "mine"]);
    presence.stop();
  });

  it("lists again what it missed", async () => {
    const store = new MemoryStore();
    const a = await server({ broker: store });
    const eve = await watcher(a.url);
    const place = [...store.places.values()][0];
    // As if an event had got lost on its way.
    if (place) place.version += 1;
    const ann = await person(a.url, "ann");
    await enter(ann.client, 1);
    await joined(eve, "ann");
  });

  it("refuses what is too large or has no name", async () => {
    const a = await server();
    const { client } = await person(a.url, "ann");
    client.send({ t: "presence.enter", i: 1, c: "room", d: "x".repeat(1_025) });
    expect(await client.find("err", ({ i }) => i === 1)).toMatchObject({ code: "too-large" });
    client.send({ t: "presence.watch", i: 2, c: "$sys" });
    expect(await client.find("err", ({ i }) => i === 2)).toMatchObject({ code: "bad-channel" });
  });
});
