import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { SignJWT, exportJWK, generateKeyPair } from "jose";
import { afterEach, describe, expect, it } from "vitest";
import { createTokenCheck } from "./tokens.ts";

const SECRET = "a-secret-of-32-characters-000000";
const cleanups: (() => unknown)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** An identity provider with keys that can be rotated, and that can be away. */
async function provider() {
  const keys = new Map<string, { alg: string; pair: Awaited<ReturnType<typeof generateKeyPair>> }>();
  const state = { asked: 0, isAway: false };
  const http = createServer((_, response) => {
    state.asked += 1;
    void (async () => {
      if (state.isAway) return response.writeHead(503).end();
      const all = [...keys].map(async ([kid, { alg, pair }]) => ({ ...(await exportJWK(pair.publicKey)), kid, alg }));
      return response.end(JSON.stringify({ keys: await Promise.all(all) }));
    })();
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => http.close());
  const addKey = async (kid: string, alg: string) => keys.set(kid, { alg, pair: await generateKeyPair(alg) });
  const sign = (kid: string, claims: Record<string, unknown>) => {
    const { alg, pair } = keys.get(kid) ?? expect.unreachable();
    return new SignJWT({ sub: "ann", ...claims }).setProtectedHeader({ alg, kid }).sign(pair.privateKey);
  };
  return { jwksUrl: `http://127.0.0.1:${(http.address() as AddressInfo).port}/keys`, addKey, sign, keys, state };
}

const hs = (claims: Record<string, unknown>) =>
  new SignJWT({ sub: "ann", ...claims }).setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(SECRET));

describe("tokens", () => {
  it("of RS and ES keys that a provider publishes are taken, new keys at once, and it may be away meanwhile", async () => {
    const idp = await provider();
    await idp.addKey("k1", "RS256");
    let nowMs = Date.now();
    const check = createTokenCheck({ jwksUrl: idp.jwksUrl }, () => nowMs) ?? expect.unreachable();
    expect(await check(await idp.sign("k1", { tenant: "acme" }))).toMatchObject({
      ok: true,
      identity: { user: "ann", tenant: "acme" },
    });
    expect(await check(await idp.sign("k1", {}))).toMatchObject({ ok: true });
    expect(idp.state.asked).toBe(1);
    idp.state.isAway = true;
    nowMs += 600_000;
    expect(await check(await idp.sign("k1", {}))).toMatchObject({ ok: true });
    await expect.poll(() => idp.state.asked).toBe(2);
    idp.state.isAway = false;
    await idp.addKey("k2", "ES256");
    const other = createTokenCheck({ jwksUrl: idp.jwksUrl }) ?? expect.unreachable();
    expect(await other(await idp.sign("k2", {}))).toMatchObject({ ok: true });
  });

  it("cannot be judged while nobody knows the provider's keys: that is no refusal", async () => {
    const idp = await provider();
    await idp.addKey("k1", "RS256");
    idp.state.isAway = true;
    const check = createTokenCheck({ jwksUrl: idp.jwksUrl }) ?? expect.unreachable();
    expect(await check(await idp.sign("k1", {}))).toMatchObject({ ok: false, isTransient: true });
    expect(await check("nonsense")).toEqual({ ok: false, message: "the token is not valid" });
  });

  it("are refused when a public key is used as a secret, when issuer or audience differ, and when they ended", async () => {
    const idp = await provider();
    await idp.addKey("k1", "RS256");
    const options = { jwtSecret: SECRET, jwksUrl: idp.jwksUrl, issuer: "https://idp.example", audience: "chat" };
    const check = createTokenCheck(options) ?? expect.unreachable();
    const good = { iss: "https://idp.example", aud: "chat" };
    expect(await check(await idp.sign("k1", good))).toMatchObject({ ok: true });
    expect(await check(await hs(good))).toMatchObject({ ok: true });
    for (const claims of [
      { ...good, iss: "other" },
      { ...good, aud: "other" },
      { ...good, sub: "a/b" },
    ]) {
      expect(await check(await idp.sign("k1", claims))).toMatchObject({ ok: false });
    }
    expect(await check(await hs({ ...good, exp: 1 }))).toEqual({ ok: false, message: "the token has expired" });
    const { n = "" } = await exportJWK((idp.keys.get("k1") ?? expect.unreachable()).pair.publicKey);
    const forged = new SignJWT({ sub: "ann", ...good }).setProtectedHeader({ alg: "HS256", kid: "k1" });
    expect(await check(await forged.sign(new TextEncoder().encode(n)))).toMatchObject({ ok: false });
  });

  it("carry grants, in the form that is documented only", async () => {
    const check = createTokenCheck({ jwtSecret: SECRET }) ?? expect.unreachable();
    const grants = [{ names: ["room:*"], actions: ["subscribe"], nbf: 5, exp: 10 }];
    expect(await check(await hs({ grants, iat: 3 }))).toMatchObject({
      identity: { auth: { atMs: 3_000, grants: [{ names: ["room:*"], startsAtMs: 5_000, endsAtMs: 10_000 }] } },
    });
    expect(await check(await hs({ grants: [{ names: ["x"], actions: ["fly"] }] }))).toMatchObject({ ok: false });
  });
});
