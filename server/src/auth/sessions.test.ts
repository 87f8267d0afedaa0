import { SignJWT } from "jose";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { SUBPROTOCOL } from "@wscluster/protocol";
import type { HelloFrame } from "@wscluster/protocol";
import { MemoryStore } from "../testing/index.ts";
import type { RawClient } from "../testing/raw-client.ts";
import { RawClient as Raw } from "../testing/raw-client.ts";
import { createStage } from "../testing/stage.ts";

const SECRET = "a-secret-of-32-characters-000000";
const { server, connect, clear } = createStage();
afterEach(clear);

const nowS = () => Math.floor(Date.now() / 1_000);
const sign = (claims: Record<string, unknown>) =>
  new SignJWT({ sub: "ann", iat: nowS(), ...claims })
    .setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode(SECRET));

async function enter(url: string, token: string, more: Partial<HelloFrame> = {}) {
  const client = await connect(url);
  client.hello({ token, ...more });
  const welcome = await client.find("welcome");
  await client.find("ready");
  return { client, welcome };
}

async function answerTo(client: RawClient, i: number): Promise<string> {
  const fits = (frame: { readonly i?: number }) => frame.i === i;
  const answer = await Promise.race([
    client.find("err", fits),
    client.find("sub.ok", fits),
    client.find("pub.ok", fits),
    client.find("refresh.ok", fits),
    client.find("page", fits),
  ]);
  return answer.t === "err" ? answer.code : answer.t;
}

describe("a token", () => {
  it("that ends is renewed in the live connection, and else ends it with 4001", async () => {
    const { url } = await server({ jwtSecret: SECRET });
    const exp = nowS() + 1;
    const [lazy, keen] = [
      await enter(url, await sign({ exp, iat: exp - 600 })),
      await enter(url, await sign({ exp, iat: exp - 600 })),
    ];
    for (const { client } of [lazy, keen]) await client.find("refresh.needed");
    keen.client.send({ t: "refresh", i: 1, token: await sign({ sub: "bob" }) });
    expect(await answerTo(keen.client, 1)).toBe("forbidden");
    keen.client.send({ t: "refresh", i: 2, token: await sign({ exp: nowS() + 600 }) });
    expect((await keen.client.find("refresh.ok")).inMs).toBeGreaterThan(500_000);
    expect(await lazy.client.closed).toBe(4_001);
    keen.client.send({ t: "ping", i: 3 });
    await keen.client.find("pong");
  }, 15_000);

  it("limits what its session may do, and goes on to do so after a move to another pod", async () => {
    const store = new MemoryStore();
    const [a, b] = [
      await server({ jwtSecret: SECRET, broker: store }),
      await server({ jwtSecret: SECRET, broker: store }),
    ];
    const grants = [
      { names: ["room:*"], actions: ["subscribe", "history"] },
      { names: ["{user}:out"], actions: ["publish"] },
      { names: ["bob"], actions: ["direct"] },
    ];
    const { client, welcome } = await enter(a.url, await sign({ grants }), { sub: [{ c: "secret" }, { c: "room:1" }] });
    const tryAll = async (on: RawClient, from: number) => {
      on.send({ t: "sub", i: from, c: "room:2" });
      on.send({ t: "sub", i: from + 1, c: "secret" });
      on.send({ t: "pub", i: from + 2, c: "room:1", s: 1, d: 1 });
      on.send({ t: "pub", i: from + 3, c: "ann:out", s: from, d: 1 });
      on.send({ t: "pub", i: from + 4, c: "~user/bob", s: from, d: 1 });
      on.send({ t: "pub", i: from + 5, c: "~user/eve", s: 1, d: 1 });
      on.send({ t: "fetch", i: from + 6, c: "secret", from: { epoch: "x", offset: 0 }, n: 1 });
      on.send({ t: "sub", i: from + 7, c: "~inbox" });
      return Promise.all(Array.from({ length: 8 }, (_, at) => answerTo(on, from + at)));
    };
    const wanted = ["sub.ok", "forbidden", "forbidden", "pub.ok", "pub.ok", "forbidden", "forbidden", "sub.ok"];
    expect(await tryAll(client, 1)).toEqual(wanted);
    expect(client.frames.flatMap((frame) => (frame.t === "sub.ok" && frame.i === 0 ? [frame.c] : []))).toEqual([
      "room:1",
    ]);
    const elsewhere = await connect(b.url);
    const { session, secret = "" } = welcome;
    elsewhere.hello({ producer: { id: "p1", gen: 2 }, resume: { session, secret, pos: [] } });
    expect(await elsewhere.find("welcome")).toMatchObject({ resumed: true });
    elsewhere.send({ t: "sub", i: 50, c: "other" });
    expect(await answerTo(elsewhere, 50)).toBe("forbidden");
  });

  it("with fewer grants ends the subscriptions that it does not allow", async () => {
    const { url } = await server({ jwtSecret: SECRET });
    const all = [{ names: ["*"], actions: ["subscribe"] }];
    const { client } = await enter(url, await sign({ grants: all }), { sub: [{ c: "one" }, { c: "two" }] });
    client.send({ t: "refresh", i: 1, token: await sign({ grants: [{ names: ["two"], actions: ["subscribe"] }] }) });
    expect(await client.find("unsubscribed")).toMatchObject({ c: "one" });
    expect(client.frames.filter(({ t }) => t === "unsubscribed")).toHaveLength(1);
  });

  it("in a cookie counts from an allowed origin, and from nowhere without such", async () => {
    const origins = ["https://app.example"];
    const options = { jwtSecret: SECRET, anonymous: false, tokenCookie: "sid" };
    const [strict, open] = [await server({ ...options, allowedOrigins: origins }), await server(options)];
    const cookie = `theme=dark; sid=${await sign({})}`;
    const hello = async (url: string, origin: string) => {
      const client = new Raw(new WebSocket(url, SUBPROTOCOL, { headers: { cookie, origin } }));
      const failed = new Promise<string>((resolve) => client.ws.once("error", () => resolve("refused")));
      const opened = new Promise<string>((resolve) => client.ws.once("open", () => resolve("open")));
      if ((await Promise.race([opened, failed])) === "refused") return "refused";
      client.hello();
      const answer = await Promise.race([client.find("welcome"), client.find("err")]);
      client.ws.terminate();
      return answer.t === "welcome" ? answer.user : answer.code;
    };
    expect(await hello(strict.url, "https://app.example")).toBe("ann");
    expect(await hello(strict.url, "https://evil.example")).toBe("refused");
    expect(await hello(open.url, "https://evil.example")).toBe("forbidden");
  });
});

describe("revoking", () => {
  it("a user ends all its sessions everywhere, and refuses who was away and all older tokens", async () => {
    const store = new MemoryStore();
    const [a, b] = [
      await server({ jwtSecret: SECRET, broker: store }),
      await server({ jwtSecret: SECRET, broker: store }),
    ];
    const old = await sign({ iat: nowS() - 5 });
    const [here, there, away] = [await enter(a.url, old), await enter(b.url, old), await enter(b.url, old)];
    const bob = await enter(a.url, await sign({ sub: "bob" }));
    away.client.ws.terminate();
    await expect.poll(() => b.sessions()).toHaveLength(1);
    await a.pod.services.revokeUser("default", "ann");
    expect(await Promise.all([here.client.closed, there.client.closed])).toEqual([4_002, 4_002]);
    const back = await connect(a.url);
    const { session, secret = "" } = away.welcome;
    back.hello({ token: old, resume: { session, secret, pos: [] } });
    expect(await back.find("err")).toMatchObject({ code: "forbidden" });
    expect(await back.closed).toBe(4_001);
    await enter(b.url, await sign({ iat: nowS() + 2 }));
    bob.client.send({ t: "ping", i: 1 });
    await bob.client.find("pong");
  });

  it("a session ends it, here or away, and leaves the user's others", async () => {
    const store = new MemoryStore();
    const [a, b] = [await server({ broker: store }), await server({ broker: store })];
    const [one, two] = [await connect(a.url), await connect(b.url)];
    for (const client of [one, two]) client.hello({ user: "ann" });
    const { session, secret = "" } = await one.find("welcome");
    await two.find("ready");
    await b.pod.services.revokeSession(session);
    expect(await one.closed).toBe(4_002);
    const back = await connect(b.url);
    back.hello({ user: "ann", resume: { session, secret, pos: [] } });
    expect(await back.find("welcome")).toMatchObject({ resumed: false });
    two.send({ t: "ping", i: 1 });
    await two.find("pong");
  });
});
