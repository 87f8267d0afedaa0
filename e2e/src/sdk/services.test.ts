import { connect, presence } from "@wscluster/client";
import type { Client, Presence } from "@wscluster/client";
import { MemoryStore, startServer } from "@wscluster/server/testing";
import type { TestServer } from "@wscluster/server/testing";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { TinyEdge, until } from "./stage.ts";

const cleanups: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function fleet() {
  const store = new MemoryStore();
  const servers = await Promise.all([startServer({ broker: store }), startServer({ broker: store })]);
  for (const server of servers) cleanups.push(() => server.stop());
  const [blue, green] = servers as [TestServer, TestServer];
  const edge = new TinyEdge(servers);
  edge.closed.add(green);
  const person = async (user: string, device?: string) => {
    const client = connect({
      url: "ws://edge.test/ws",
      user,
      ...(device === undefined ? {} : { device }),
      webSocket: (url, protocol) => new WebSocket(edge.targetOf(new URL(url)), protocol),
    });
    let session = "";
    client.on("welcome", (event) => void (session = event.session));
    cleanups.push(() => client.close());
    await client.ready();
    return { client, session: () => session };
  };
  return { store, blue, green, edge, person };
}

const names = (watched: Presence) => watched.members.map(({ user }) => user).sort();

async function moved(client: Client, from: TestServer, to: TestServer, session: string): Promise<void> {
  const before = client.counters.moves;
  expect(from.forceMove(session, to)).toBeTypeOf("string");
  await until(() => client.counters.moves > before, "the move");
}

describe("presence", () => {
  it("shows who is there, through a move of the watcher, of a member, and a new session", async () => {
    const { blue, green, person } = await fleet();
    const [ann, bob] = [await person("ann"), await person("bob")];
    const seen: string[] = [];
    const watched = presence<{ mood: string }>(ann.client, "room", {
      onChange: (now) => void seen.push(names(now).join()),
    });
    const own = presence<{ mood: string }>(bob.client, "room");
    await own.enter({ mood: "good" });
    await until(() => watched.count === 1, "bob");
    expect(watched.members).toEqual([{ session: bob.session(), user: "bob", data: { mood: "good" } }]);
    await moved(bob.client, blue, green, bob.session());
    await moved(ann.client, blue, green, ann.session());
    await own.enter({ mood: "better" });
    await until(() => watched.members[0]?.data.mood === "better", "the change");
    expect(seen.slice(seen.indexOf("bob")).every((list) => list === "bob")).toBe(true);
    const all: string[] = [];
    for await (const { user } of watched.all()) all.push(user);
    expect(all).toEqual(["bob"]);
    await own.leave();
    await until(() => watched.count === 0, "nobody");
    watched.stop();
    own.stop();
  });
});
