// The operator's synthetic client at a real server: it serves itself, it is in nobody's numbers, and nobody else can be it.
import { SignJWT } from "jose";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { PROBE_HEADER, PROBE_IDENTITY, SUBPROTOCOL } from "@wscluster/protocol";
import { signProbe } from "@wscluster/platform";
import { NO_LIMITS } from "../limits/limits.ts";
import { DEFAULT_SETTINGS } from "../config.ts";
import { TEST_ADMIN_KEY } from "../testing/index.ts";
import type { TestServer } from "../testing/index.ts";
import { RawClient } from "../testing/raw-client.ts";
import { createStage } from "../testing/stage.ts";

const { server, connect, clear } = createStage();
const probes: RawClient[] = [];
afterEach(async () => {
  for (const probe of probes.splice(0)) probe.ws.terminate();
  await clear();
});

const headerFor = (to: TestServer, nonce = "nonce-0123456789", key = TEST_ADMIN_KEY): string =>
  signProbe(key, { podUid: to.pod.podUid, bootNonce: to.pod.bootNonce, nonce });

/** The open probe, or the HTTP status that it was refused with. */
async function open(to: TestServer, header: string): Promise<RawClient | number> {
  const ws = new WebSocket(to.url, SUBPROTOCOL, { headers: { [PROBE_HEADER]: header, origin: "https://nowhere" } });
  const client = new RawClient(ws);
  probes.push(client);
  return new Promise((resolve) => {
    ws.once("open", () => resolve(client));
    ws.once("unexpected-response", (_request, response) => resolve(response.statusCode ?? 0));
  });
}

async function probe(to: TestServer): Promise<RawClient> {
  const client = await open(to, headerFor(to));
  if (typeof client === "number") throw new Error(`refused with ${client}`);
  client.hello({ caps: [] });
  await client.find("welcome");
  return client;
}

/** Not what goes on by itself: levels of the process, and the pod's own looks at the store. */
const OWN = /_(cpu|memory|lag|pressure|event)|response_seconds.*type="store"/;
const figures = async (of: TestServer) => {
  const text = await (await fetch(`${of.adminUrl}/metrics`)).text();
  return text.split("\n").filter((line) => line.startsWith("wscluster_") && !OWN.test(line));
};

describe("a probe", () => {
  it("publishes to itself under its own identity, and is in nobody's numbers", async () => {
    const a = await server({ allowedOrigins: ["https://app.example"], anonymous: false, jwtSecret: "s".repeat(32) });
    expect(await a.state()).toMatchObject({ probe: 1 });
    const before = await figures(a);
    const client = await probe(a);
    expect((await client.find("welcome")).tenant).toBe(PROBE_IDENTITY.tenant);
    client.send({ t: "sub", i: 1, c: "self" });
    await client.find("sub.ok");
    client.send({ t: "pub", i: 2, c: "self", s: 1, d: { n: 7 } });
    await client.find("pub.ok");
    expect(await client.find("pub")).toMatchObject({ c: "self", d: { n: 7 } });
    expect(await a.state()).toMatchObject({ connections: 0, preparing: 0, arrivals: { named: 0, unnamed: 0 } });
    expect(await figures(a)).toEqual(before);
    client.send({ t: "unsub", i: 3, c: "self" });
    await client.find("unsub.ok");
    client.close();
    expect(await client.closed).toBe(1_000);
    await expect.poll(() => a.pod.registry.all.size).toBe(0);
    expect(await figures(a)).toEqual(before);
  });

  it("is let in when the pod is full, by whose limits ever", async () => {
    const limits = { ...NO_LIMITS, sessionsPerAddress: 1, sessionsPerTenant: 1 };
    const a = await server({ settings: { ...DEFAULT_SETTINGS, maxPerPod: 1, limits } });
    const user = await connect(a.url);
    user.hello();
    await user.find("welcome");
    await probe(a);
    expect(await a.state()).toMatchObject({ connections: 1 });
  });

  it("is asked to move by nobody, and keeps no pod from being empty", async () => {
    const a = await server();
    await probe(a);
    expect(a.pod.registry.isEmpty).toBe(true);
    expect(a.sessions()).toEqual([]);
  });

  it("cannot be opened without the key, for another pod or life, or twice", async () => {
    const [a, b] = [await server(), await server()];
    expect(await open(a, headerFor(a, undefined, "another-key"))).toBe(403);
    expect(await open(a, headerFor(b))).toBe(403);
    expect(await open(a, headerFor(a, "short"))).toBe(403);
    for (const text of ["", ".", "x.y", `nonce-0123456789.${"0".repeat(64)}`]) expect(await open(a, text)).toBe(403);
    expect(await open(a, headerFor(a))).toBeInstanceOf(RawClient);
    expect(await open(a, headerFor(a))).toBe(403);
    const keyless = await server({ adminKeys: [] });
    expect(await open(keyless, headerFor(keyless, undefined, ""))).toBe(403);
    expect((await keyless.state()).probe).toBeUndefined();
  });

  it("has a tenant that no token can name", async () => {
    const secret = "s".repeat(32);
    const a = await server({ anonymous: false, jwtSecret: secret });
    const token = await new SignJWT({ sub: "me", tenant: PROBE_IDENTITY.tenant })
      .setProtectedHeader({ alg: "HS256" })
      .sign(new TextEncoder().encode(secret));
    const client = await connect(a.url);
    client.hello({ token });
    expect(await client.find("err")).toMatchObject({ code: "forbidden" });
  });
});
