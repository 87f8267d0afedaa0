import { connect as connectTcp } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { POD_HEADER, SUBPROTOCOL, podKey } from "@wscluster/protocol";
import type { Ticket } from "@wscluster/protocol";
import { signTicket } from "@wscluster/platform";
import { SignJWT } from "jose";
import { NO_LIMITS } from "../limits/limits.ts";
import { TEST_TICKET_KEY } from "../testing/index.ts";
import { createStage } from "../testing/stage.ts";

const { server, connect, clear } = createStage();
afterEach(clear);

type Refusal = { readonly status: number; readonly retryAfter: string | undefined };

/** The HTTP status of an upgrade; 101 when it was taken. */
async function upgrade(
  url: string,
  options: { readonly headers?: Record<string, string>; readonly protocol?: string } = {},
): Promise<Refusal> {
  const ws = new WebSocket(url, options.protocol ?? SUBPROTOCOL, { headers: options.headers ?? {} });
  try {
    return await new Promise((resolve) => {
      ws.on("error", () => {});
      ws.once("open", () => resolve({ status: 101, retryAfter: undefined }));
      ws.once("unexpected-response", (_request, response) =>
        resolve({ status: response.statusCode ?? 0, retryAfter: response.headers["retry-after"] }),
      );
    });
  } finally {
    ws.terminate();
  }
}

const UPGRADE_HEADERS =
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

/** All that is answered to these bytes until the server ends the connection. */
async function raw(port: number, request: string): Promise<string> {
  const socket = connectTcp(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(request);
  let answer = "";
  socket.setEncoding("utf8").on("data", (text: string) => (answer += text));
  await new Promise((resolve) => socket.once("close", resolve));
  return answer;
}

const uid = "0f9e8d7c-6b5a-4432-8110-000000000000";
const own = podKey(uid);
const ticket: Ticket = { v: 1, session: "s", g: 1, to: own, from: "x", intent: "rollout/r/1", id: "m" };
const signed = (change: Partial<Ticket> = {}) => signTicket(TEST_TICKET_KEY, { ...ticket, ...change });

describe("an upgrade", () => {
  it("is refused with a status that says why", async () => {
    const { url } = await server({ podUid: uid, allowedOrigins: ["https://app.example"] });
    const origin = { origin: "https://app.example" };
    const status = async (target: string, headers: Record<string, string> = origin, protocol = SUBPROTOCOL) =>
      (await upgrade(target, { headers, protocol })).status;
    expect(await status(url)).toBe(101);
    expect(await status(`${url}x`)).toBe(404);
    expect(await status(url, origin, "other")).toBe(400);
    expect(await status(url, {})).toBe(403);
    expect(await status(url, { origin: "https://evil.example" })).toBe(403);
    expect(await status(url, { ...origin, [POD_HEADER]: "another" })).toBe(421);
    expect(await status(url, { ...origin, [POD_HEADER]: own })).toBe(101);
    expect(await status(`${url}?pod=${own}`)).toBe(403);
    expect(await status(`${url}?pod=${own}&ticket=nonsense`)).toBe(403);
    expect(await status(`${url}?pod=${own}&ticket=${signTicket("another-key", ticket)}`)).toBe(403);
    expect(await status(`${url}?pod=${own}&ticket=${signed({ to: "elsewhere" })}`)).toBe(403);
    expect(await status(`${url}?pod=elsewhere&ticket=${signed({ to: "elsewhere" })}`)).toBe(421);
    expect(await status(`${url}?pod=${own}&ticket=${signed()}`)).toBe(101);
  });

  it("is braked when too many come at once, tickets excepted, with a window that browsers can ask for", async () => {
    const a = await server({ podUid: uid, lobby: { perSecond: 1, brakeWaitMs: 0 } });
    const ask = async () => {
      const answer = await fetch(a.url.replace("ws:", "http:").replace(/ws$/, "wsc/admission"));
      expect(answer.headers.get("access-control-allow-origin")).toBe("*");
      return (await answer.json()) as unknown;
    };
    expect(await ask()).toEqual({ admit: true, windowMs: 0 });
    const answers = await Promise.all(Array.from({ length: 26 }, () => upgrade(a.url)));
    const refused = answers.filter(({ status }) => status === 503);
    expect(refused.length).toBeGreaterThanOrEqual(5);
    expect(refused.length).toBeLessThanOrEqual(6);
    expect(Number(refused[0]?.retryAfter)).toBeGreaterThanOrEqual(1);
    expect(await ask()).toMatchObject({ admit: false, windowMs: expect.toSatisfy((ms: number) => ms > 3_000) });
    await connect(a.url, { pod: own, ticket: signed() });
  });

  it("of a full pod waits for a slot where it may", async () => {
    const a = await server({ settings: { maxPerPod: 1 }, lobby: { slotWaitMs: 5_000 } });
    const first = await connect(a.url);
    const second = connect(a.url);
    await expect
      .poll(async () => (await (await fetch(`${a.adminUrl}/metrics`)).text()).split("\n"))
      .toContain("wscluster_admission_waiting 1");
    first.close();
    await second;
  });

  it("of a full pod is refused with 503, except for ticketed ones up to the reserve", async () => {
    const a = await server({ podUid: uid, settings: { maxPerPod: 10 } });
    for (let n = 0; n < 10; n += 1) await connect(a.url);
    expect(await upgrade(a.url)).toEqual({ status: 503, retryAfter: "5" });
    await connect(a.url, { pod: own, ticket: signed() });
    expect((await upgrade(`${a.url}?pod=${own}&ticket=${signed()}`)).status).toBe(503);
    expect((await a.state()).arrivals).toEqual({ named: 1, unnamed: 10 });
  });

  it("with a bad token in its headers is refused before it takes a slot; with a good one it still says hello", async () => {
    const a = await server({ anonymous: false, jwtSecret: "a-secret-of-32-characters-000000" });
    const good = await new SignJWT({ sub: "ann" })
      .setProtectedHeader({ alg: "HS256" })
      .setExpirationTime("1m")
      .sign(new TextEncoder().encode("a-secret-of-32-characters-000000"));
    const status = async (authorization: string) => (await upgrade(a.url, { headers: { authorization } })).status;
    expect([await status("Bearer x.y.z"), await status("Basic eDp5"), await status(`Bearer ${good}`)]).toEqual([
      401, 401, 101,
    ]);
  });

  it("from an address that holds enough is refused with 429, except with a ticket", async () => {
    const limits = { ...NO_LIMITS, sessionsPerAddress: 1 };
    const a = await server({ podUid: uid, settings: { limits }, addressHeader: "x-forwarded-for" });
    const from = (address: string) => ({ headers: { "x-forwarded-for": `1.2.3.4, ${address}` } });
    const held: WebSocket[] = [];
    for (let n = 0; n < 2; n += 1) held.push(new WebSocket(a.url, SUBPROTOCOL, from("10.0.0.1")));
    await Promise.all(held.map((ws) => new Promise((resolve) => ws.once("open", resolve))));
    expect(await upgrade(a.url, from("10.0.0.1"))).toEqual({ status: 429, retryAfter: "30" });
    expect((await upgrade(a.url, from("10.0.0.2"))).status).toBe(101);
    expect((await upgrade(`${a.url}?pod=${own}&ticket=${signed()}`, from("10.0.0.1"))).status).toBe(101);
    for (const ws of held) ws.terminate();
    await expect.poll(async () => (await upgrade(a.url, from("10.0.0.1"))).status).toBe(101);
  });

  it("that is refused hears what to do, and the connection ends", async () => {
    const a = await server();
    const answer = await raw(a.pod.port, `GET /nope HTTP/1.1\r\nHost: x\r\n${UPGRADE_HEADERS}\r\n`);
    const [head = "", body = ""] = answer.split("\r\n\r\n");
    expect(head).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/);
    expect(head).toContain("Content-Type: application/json");
    expect(JSON.parse(body)).toEqual({
      ok: false,
      status: 404,
      code: "no-such-path",
      message: "Nothing is served at this path.",
      next: "Use the path of WSC_PATH.",
    });
  });

  it("that is broken, too large, of another version or never finished gets the status for it", async () => {
    const a = await server({ headersTimeoutMs: 200 });
    const cases = [
      [400, "GET /ws HTTP/1.1\r\nHost x\r\n\r\n"],
      [400, "\u0000\u0001\u0002\r\n\r\n"],
      [431, `GET /ws HTTP/1.1\r\nHost: x\r\nCookie: ${"x".repeat(20_000)}\r\n\r\n`],
      [426, `GET /ws HTTP/1.1\r\nHost: x\r\n${UPGRADE_HEADERS.replace("13", "8")}\r\n`],
      [400, `GET /ws HTTP/1.1\r\nHost: x\r\n${UPGRADE_HEADERS.replace(/Sec-WebSocket-Key.*\r\n/, "")}\r\n`],
      [408, `GET /ws HTTP/1.1\r\nHost: x\r\n`],
      [408, ""],
    ] as const;
    for (const [status, request] of cases) expect(await raw(a.pod.port, request)).toMatch(`HTTP/1.1 ${status} `);
    expect((await connect(a.url)).ws.readyState).toBe(WebSocket.OPEN);
  });

  it("without WebSocket is answered over HTTP", async () => {
    const a = await server();
    const base = a.url.replace("ws:", "http:");
    const refused = await fetch(base);
    expect(refused.status).toBe(426);
    expect(await refused.json()).toMatchObject({ code: "upgrade-needed", next: "Connect with a WebSocket client." });
    expect((await fetch(base.replace(/\/ws$/, "/healthz"))).status).toBe(200);
    expect((await fetch(base.replace(/\/ws$/, "/other"))).status).toBe(404);
  });
});

describe("a socket", () => {
  it("that says nothing is closed", async () => {
    const a = await server({ helloDeadlineMs: 50 });
    const client = await connect(a.url);
    expect(await client.closed).toBe(4003);
    await expect.poll(() => a.pod.registry.all.size).toBe(0);
  });

  it("is closed when a message is too big, no JSON, binary, or not a hello first", async () => {
    const a = await server();
    const closes = [
      [1009, (client: WebSocket) => client.send("x".repeat(70_000))],
      [4000, (client: WebSocket) => client.send("{")],
      [4000, (client: WebSocket) => client.send("[1]")],
      [4000, (client: WebSocket) => client.send(Buffer.from("{}"))],
      [4000, (client: WebSocket) => client.send('{"t":"pub","i":1,"c":"room","s":1,"d":1}')],
    ] as const;
    for (const [code, send] of closes) {
      const client = await connect(a.url);
      send(client.ws);
      expect(await client.closed).toBe(code);
    }
    await expect.poll(() => a.pod.registry.all.size).toBe(0);
  });

  it("stays open for a frame that is JSON and wrong, with the reason", async () => {
    const a = await server();
    const client = await connect(a.url);
    client.hello();
    await client.find("ready");
    client.ws.send('{"t":"pub","i":4,"c":"room"}');
    expect(await client.find("err", ({ i }) => i === 4)).toMatchObject({ code: "bad-frame" });
    client.ws.send('{"t":"dance","i":5}');
    expect(await client.find("err", ({ i }) => i === 5)).toMatchObject({ code: "unknown-type" });
    for (const c of ["", "$sys", "a\nb", "é".repeat(101)]) {
      client.clear();
      client.send({ t: "sub", i: 6, c });
      expect(await client.find("err")).toMatchObject({ i: 6, code: "bad-channel" });
    }
    client.send({ t: "ping", i: 8 });
    await client.find("pong", ({ i }) => i === 8);
  });

  it("may hold so many channels and no more", async () => {
    const a = await server();
    const client = await connect(a.url);
    client.hello({ sub: Array.from({ length: 256 }, (_, n) => ({ c: `c${n}` })) });
    await client.find("ready");
    client.send({ t: "sub", i: 1, c: "c0" });
    await client.find("sub.ok", ({ i }) => i === 1);
    client.send({ t: "sub", i: 2, c: "one-more" });
    expect(await client.find("err")).toMatchObject({ i: 2, code: "too-many-subscriptions" });
  });

  it("that hears nothing is pinged, and closed when two pings stay unanswered", async () => {
    const a = await server({ settings: { heartbeatMs: 400 } });
    const [alive, dead] = [await connect(a.url), await connect(a.url)];
    alive.hello();
    await alive.find("ready");
    // Hears the ping and does not answer: neither the frame nor, being paused, the WebSocket ping.
    dead.hello();
    await dead.find("ready");
    dead.ws.pause();
    await expect.poll(() => a.pod.registry.all.size, { timeout: 15_000 }).toBe(1);
    expect(alive.ws.readyState).toBe(WebSocket.OPEN);
    dead.ws.resume();
    expect(await dead.closed).toBe(4104);
  });
});

describe("identity", () => {
  const secret = "a-secret-of-32-characters-000000";
  const token = (claims: Record<string, string>, key = secret, expires = "1m") =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: "HS256" })
      .setExpirationTime(expires)
      .sign(new TextEncoder().encode(key));

  it("comes from a signed token", async () => {
    const a = await server({ anonymous: false, jwtSecret: secret });
    const client = await connect(a.url);
    client.hello({ token: await token({ sub: "ann", tenant: "acme" }) });
    expect(await client.find("welcome")).toMatchObject({ user: "ann", tenant: "acme" });
    const refused = [
      {},
      { token: "x" },
      { token: await token({ sub: "ann" }, "another-secret-another-secret-00") },
      { token: await token({ sub: "ann" }, secret, "-1m") },
      { token: await token({ sub: "a/b" }) },
      { token: await token({ tenant: "acme" }) },
    ];
    for (const hello of refused) {
      const other = await connect(a.url);
      other.hello(hello);
      expect(await other.closed).toBe(4001);
    }
  });

  it("keeps tenants apart and lets nobody take a signed user's name", async () => {
    const a = await server({ anonymous: true, jwtSecret: secret });
    const [one, two, guest] = [await connect(a.url), await connect(a.url), await connect(a.url)];
    one.hello({ token: await token({ sub: "ann", tenant: "acme" }), sub: [{ c: "room" }] });
    two.hello({ token: await token({ sub: "ann", tenant: "other" }), sub: [{ c: "room" }] });
    guest.hello({ user: "ann" });
    expect((await guest.find("welcome")).user).toMatch(/^anon-/);
    await Promise.all([one.find("ready"), two.find("ready")]);
    one.send({ t: "pub", i: 1, c: "room", s: 1, d: 1 });
    await one.find("pub");
    two.send({ t: "pub", i: 1, c: "room", s: 1, d: 2 });
    expect(await two.find("pub")).toMatchObject({ o: 1, d: 2 });
    expect(two.publications("room")).toHaveLength(1);
  });
});
