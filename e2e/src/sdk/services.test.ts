import { createHmac } from "node:crypto";
import { connect, inbox, keepTokenFresh, presence, rpc, sessionState } from "@wscluster/client";
import type { Client, Presence } from "@wscluster/client";
import { MemoryStore, startServer } from "@wscluster/server/testing";
import type { StartServerOptions, TestServer } from "@wscluster/server/testing";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { TinyEdge, until } from "./stage.ts";

const cleanups: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function fleet(options: StartServerOptions = {}) {
  const store = new MemoryStore();
  const both = { ...options, broker: store };
  const servers = await Promise.all([startServer(both), startServer(both)]);
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

describe("inbox", () => {
  it("brings what was sent while the user was away, once per life of the device, and the sender sees how far it came", async () => {
    const { blue, green, edge, person } = await fleet();
    const ann = await person("ann", "phone");
    const post = inbox(ann.client);
    const sent = [await post.send("bob", { n: 1 }), await post.send("bob", { n: 2 })];
    const story: string[] = [];
    for (const [at, one] of sent.entries()) {
      void one.delivered().then(() => story.push(`delivered ${at + 1}`));
      void one.read().then(() => story.push(`read ${at + 1}`));
    }
    await moved(ann.client, blue, green, ann.session());
    edge.closed.delete(green);
    edge.closed.add(blue);
    const bob = await person("bob", "phone");
    const got: unknown[] = [];
    const box = inbox<{ n: number }>(bob.client, {
      onMessage: async ({ from, data }) => {
        await new Promise((wake) => setTimeout(wake, 5));
        got.push([from, data.n]);
      },
    });
    await until(() => story.length === 2, "the receipts of delivery");
    expect(story).toEqual(["delivered 1", "delivered 2"]);
    const third = await post.send("bob", { n: 3 });
    await third.delivered();
    await box.markRead({ position: third });
    await third.read();
    await until(() => story.length === 4, "the receipts of reading");
    expect(got).toEqual([1, 2, 3].map((n) => ["ann", n]));
    bob.client.close();
    const again = await person("bob", "phone");
    const later: number[] = [];
    const reopened = inbox<{ n: number }>(again.client, { onMessage: ({ data }) => later.push(data.n) });
    await reopened.opened();
    await post.send("bob", { n: 4 });
    await until(() => later.length > 0, "the fourth");
    expect(later).toEqual([4]);
  });

  it("does not acknowledge what a handler failed on, nor what is after it", async () => {
    const { person } = await fleet();
    const [ann, bob] = [await person("ann"), await person("bob", "phone")];
    const post = inbox(ann.client);
    const errors: unknown[] = [];
    bob.client.on("handler-error", ({ error }) => errors.push(error));
    const shown: number[] = [];
    inbox<number>(bob.client, {
      onMessage: ({ data }) => {
        shown.push(data);
        if (data === 2) throw new Error("no room");
      },
    });
    for (const n of [1, 2, 3]) await post.send("bob", n);
    await until(() => shown.length === 3, "three messages");
    expect(errors).toHaveLength(1);
    bob.client.close();
    const again = await person("bob", "phone");
    const second: number[] = [];
    for await (const { data } of inbox<number>(again.client)) {
      second.push(data);
      if (data === 3) break;
    }
    expect(second).toEqual([2, 3]);
    again.client.close();
    // The loop asked for the third, so the second was acknowledged; it was left at the third, which was not.
    const last = await person("bob", "phone");
    const third: number[] = [];
    const box = inbox<number>(last.client, { ack: "manual", onMessage: ({ data }) => third.push(data) });
    await until(() => third.length > 0, "the third again");
    expect(third).toEqual([3]);
    box.stop();
  });

  it("loses nothing when pods die under sender and reader", async () => {
    const { store, blue, green, edge, person } = await fleet();
    edge.closed.delete(green);
    const [ann, bob] = [await person("ann", "a"), await person("bob", "b")];
    const post = inbox(ann.client);
    const got: number[] = [];
    const box = inbox<number>(bob.client, { onMessage: ({ data }) => got.push(data) });
    const sent: Promise<{ delivered(): Promise<void> }>[] = [];
    for (let n = 1; n <= 60; n += 1) {
      sent.push(post.send("bob", n));
      if (n === 20) {
        const server = await startServer({ broker: store });
        cleanups.push(() => server.stop());
        edge.servers.push(server);
        edge.closed.add(blue);
        await blue.kill();
      }
      await new Promise((wake) => setTimeout(wake, 2));
    }
    for (const one of await Promise.all(sent)) await one.delivered();
    expect(got).toEqual(Array.from({ length: 60 }, (_, at) => at + 1));
    box.stop();
  });
});

describe("session state", () => {
  it("travels with moves and resumes, also what was set while a move was under way, and is bounded", async () => {
    const { blue, green, edge, person } = await fleet();
    const ann = await person("ann");
    const state = sessionState<{ cart: string[] } | string>(ann.client);
    expect(await state.get()).toBeUndefined();
    await state.set({ cart: ["tea"] });
    const moving = moved(ann.client, blue, green, ann.session());
    await state.set({ cart: ["tea", "milk"] });
    await moving;
    expect(await state.get()).toEqual({ cart: ["tea", "milk"] });
    edge.closed.delete(green);
    edge.closed.add(blue);
    green.breakSocket(ann.session());
    await until(() => ann.client.counters.resumes === 1, "the resume");
    expect(await state.get()).toEqual({ cart: ["tea", "milk"] });
    await expect(state.set("x".repeat(4_095))).rejects.toMatchObject({ code: "refused", wireCode: "too-large" });
    await state.set("x".repeat(4_094));
    await state.clear();
    expect(await state.get()).toBeUndefined();
  });

  it("is set again in a session that had to be made anew", async () => {
    const { store, blue, person } = await fleet();
    const ann = await person("ann");
    const state = sessionState<number>(ann.client);
    await state.set(7);
    store.sessions.clear();
    blue.breakSocket(ann.session());
    await until(() => ann.client.counters.newSessions === 1, "the new session");
    await until(() => [...store.sessions.values()].some(({ row }) => row.notes?.["state"] === "7"), "the state");
    expect(await state.get()).toBe(7);
  });
});

describe("a token that ends", () => {
  it("is renewed without the connection noticing, and ends it where nobody renews", async () => {
    const secret = "a-secret-of-32-characters-000000";
    const server = await startServer({ jwtSecret: secret });
    cleanups.push(() => server.stop());
    const edge = new TinyEdge([server]);
    const nowS = () => Math.floor(Date.now() / 1_000);
    const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const tokenFor = (seconds: number): string => {
      const claims = { sub: "ann", iat: nowS() - 600, exp: nowS() + seconds };
      const text = `${base64({ alg: "HS256" })}.${base64(claims)}`;
      return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
    };
    const open = () => {
      const webSocket = (url: string, protocol: string) => new WebSocket(edge.targetOf(new URL(url)), protocol);
      const client = connect({ url: "ws://edge.test/ws", token: () => tokenFor(1), webSocket });
      cleanups.push(() => client.close());
      return client;
    };
    const [kept, cut] = [open(), open()];
    keepTokenFresh(kept, () => tokenFor(600));
    await Promise.all([kept.ready(), cut.ready()]);
    await until(() => cut.counters.disconnects > 0, "the end of the token");
    expect(kept.counters.disconnects).toBe(0);
    await until(() => cut.counters.resumes > 0, "the resume with a new token");
  });
});

describe("rpc", () => {
  it("is answered on the old socket through a move, and after a break once or with the truth", async () => {
    const done: string[] = [];
    let release: () => void = () => {};
    const slow =
      (name: string) =>
      async (data: unknown, { key }: { readonly key: string }) => {
        done.push(`${name} ${String(data)}${done.includes(key) ? " again" : ""}`);
        await new Promise<void>((resolve) => void (release = resolve));
        return { got: data };
      };
    const routes = { pay: { handler: slow("pay") }, put: { handler: slow("put"), idempotent: true } };
    const { blue, green, person } = await fleet({ routes });
    const ann = await person("ann");
    const asked = rpc(ann.client, "pay", 1);
    await until(() => done.length === 1, "the call");
    expect(blue.forceMove(ann.session(), green)).toBeTypeOf("string");
    await until(() => ann.client.pod === green.podKey, "the commit");
    release();
    expect(await asked).toEqual({ got: 1 });
    await until(() => ann.client.counters.moves === 1 && blue.pod.registry.all.size === 0, "the end of the move");
    expect(done).toEqual(["pay 1"]);

    const [lost, repeated] = [rpc(ann.client, "pay", 2), rpc<unknown>(ann.client, "put", 3)];
    const outcome = lost.catch((error: unknown) => error);
    await until(() => done.length === 3, "both calls");
    green.breakSocket(ann.session());
    expect(await outcome).toMatchObject({ code: "outcome-unknown" });
    await until(() => done.length === 4, "the second try");
    release();
    expect(await repeated).toEqual({ got: 3 });
    expect(done.filter((call) => call.startsWith("pay"))).toEqual(["pay 1", "pay 2"]);
    await expect(rpc(ann.client, "none", 0)).rejects.toMatchObject({ code: "refused", wireCode: "no-route" });
  });
});
