// Webhooks against real HTTP servers on loopback, which only these tests allow, and what is never called.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { areAddressesAllowed, isForbidden, isHostAllowed, parseAllowList } from "./webhook-address.ts";
import { type CallerOptions, createWebhookCaller } from "./webhook-call.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

type Seen = { method: string | undefined; headers: IncomingMessage["headers"]; body: string };

async function serve(answer: (response: ServerResponse) => void): Promise<{ port: number; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      seen.push({ method: request.method, headers: request.headers, body: Buffer.concat(chunks).toString() });
      answer(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, seen };
}

/** Names lead to loopback, which is called. */
const onLoopback: CallerOptions = {
  allowed: parseAllowList(["checks.example", "*.hooks.example"]),
  resolve: () => Promise.resolve(["127.0.0.1"]),
  isForbidden: () => false,
};
const ask = (url: string, options: Partial<CallerOptions> = {}, timeoutMs = 2_000) =>
  createWebhookCaller({ ...onLoopback, ...options })({ url, body: '{"attempt":"r/1"}', timeoutMs });

describe("a webhook", () => {
  it("is asked with POST and JSON, at the address that was checked, under its own name", async () => {
    const { port, seen } = await serve((response) => response.writeHead(200).end("fine"));
    expect(await ask(`http://checks.example:${port}/gate?x=1`)).toEqual({ kind: "yes" });
    expect(seen).toMatchObject([
      {
        method: "POST",
        body: '{"attempt":"r/1"}',
        headers: { host: `checks.example:${port}`, "content-type": "application/json" },
      },
    ]);
  });

  it.each([
    [403, { kind: "no", why: "it answers 403" }],
    [404, { kind: "no", why: "it answers 404" }],
    [500, { kind: "unclear", why: "it answers 500" }],
    [201, { kind: "unclear", why: "it answers 201" }],
  ])("that answers %i says so and nothing of its body", async (status, answer) => {
    const { port } = await serve((response) => response.writeHead(status).end("secret words"));
    expect(await ask(`http://checks.example:${port}/`)).toEqual(answer);
  });

  it("is not followed elsewhere", async () => {
    const elsewhere = await serve((response) => response.writeHead(200).end());
    const { port } = await serve((response) =>
      response.writeHead(307, { location: `http://checks.example:${elsewhere.port}/` }).end(),
    );
    expect(await ask(`http://checks.example:${port}/`)).toEqual({
      kind: "unclear",
      why: "it answers 307, and redirects are not followed",
    });
    expect(elsewhere.seen).toEqual([]);
  });

  it("that does not answer in time, or sends without end, is given up", async () => {
    const mute = await serve(() => {});
    expect(await ask(`http://checks.example:${mute.port}/`, {}, 100)).toEqual({
      kind: "unclear",
      why: "no answer within 0.1 s",
    });
    let written = 0;
    const endless = await serve((response) => {
      response.writeHead(200);
      const write = (): void => {
        if (response.destroyed) return;
        written += 65_536;
        response.write(Buffer.alloc(65_536), () => setImmediate(write));
      };
      write();
    });
    expect(await ask(`http://checks.example:${endless.port}/`)).toEqual({ kind: "yes" });
    expect(written).toBeLessThan(64 * 1024 * 1024);
    const gone = await serve(() => {});
    cleanups.pop()?.();
    expect(await ask(`http://checks.example:${gone.port}/`)).toEqual({ kind: "unclear", why: "ECONNREFUSED" });
  });

  it.each<[string, string, Partial<CallerOptions>, RegExp]>([
    [
      "without a list",
      "http://checks.example/",
      { allowed: parseAllowList([]) },
      /host checks.example is not allowed: .*--webhook-allow/,
    ],
    ["of another host", "http://other.example/", {}, /host other.example is not allowed/],
    ["with a name that only ends alike", "http://evilhooks.example/", {}, /is not allowed/],
    [
      "with an address outside of the networks",
      "http://10.9.0.1/",
      { allowed: parseAllowList(["10.8.0.0/16"]) },
      /10.9.0.1 is not allowed/,
    ],
    ["whose name is loopback", "http://checks.example/", { isForbidden }, /never called \(127.0.0.1\)/],
    [
      "that is loopback in disguise",
      "http://2130706433/",
      { allowed: parseAllowList(["0.0.0.0/0"]), isForbidden },
      /never called \(127.0.0.1\)/,
    ],
    [
      "one of whose addresses is metadata",
      "http://checks.example/",
      { isForbidden, resolve: () => Promise.resolve(["192.0.2.1", "169.254.169.254"]) },
      /never called \(169.254.169.254\)/,
    ],
    [
      "whose name is unknown",
      "http://checks.example/",
      { resolve: () => Promise.reject(Object.assign(new Error("x"), { code: "ENOTFOUND" })) },
      /^the name checks.example cannot be resolved: ENOTFOUND$/,
    ],
    ["that is no URL", "checks", {}, /no http or https URL/],
    ["with a password", "http://me:secret@checks.example/", {}, /no http or https URL without a password$/],
    ["of another scheme", "file:///etc/passwd", {}, /no http or https URL/],
  ])("%s is not called", async (_name, url, options, why) => {
    expect(await ask(url, options)).toEqual({ kind: "unclear", why: expect.stringMatching(why) });
  });
});

describe("the list of what may be called", () => {
  it("takes hosts, domains, addresses and networks, and names what is none of them", () => {
    const list = parseAllowList([
      "checks.example",
      "*.hooks.example",
      "192.0.2.7",
      "10.0.0.0/8",
      "fd00::/8",
      "10.0.0.0/33",
      "a b",
      "",
    ]);
    expect(list.wrong).toEqual(["10.0.0.0/33", "a b", ""]);
    expect(["checks.example", "CHECKS.example.", "a.hooks.example"].every((host) => isHostAllowed(list, host))).toBe(
      true,
    );
    expect(["hooks.example", ".hooks.example", "xchecks.example"].some((host) => isHostAllowed(list, host))).toBe(
      false,
    );
    expect(areAddressesAllowed(list, ["10.1.2.3", "192.0.2.7", "fd00::1"])).toBe(true);
    expect(areAddressesAllowed(list, ["10.1.2.3", "192.0.2.8"])).toBe(false);
    expect(areAddressesAllowed(list, [])).toBe(false);
    expect([parseAllowList([]).isEmpty, parseAllowList(["a b"]).isEmpty, list.isEmpty]).toEqual([true, true, false]);
  });

  it("never holds what only the operator's own pod can reach", () => {
    const never = [
      "127.0.0.1",
      "127.9.9.9",
      "0.0.0.0",
      "169.254.169.254",
      "100.100.100.200",
      "224.0.0.1",
      "255.255.255.255",
    ];
    const neverSix = [
      "::1",
      "::",
      "fe80::1",
      "fe80::1%eth0",
      "fd00:ec2::254",
      "ff02::1",
      "::ffff:127.0.0.1",
      "::ffff:a9fe:a9fe",
      "64:ff9b::7f00:1",
      "2002:7f00:1::",
      "no address",
    ];
    expect([...never, ...neverSix].filter((address) => !isForbidden(address))).toEqual([]);
    expect(["10.0.0.1", "192.0.2.1", "fd00::1", "2001:db8::1", "::ffff:10.0.0.1"].filter(isForbidden)).toEqual([]);
  });
});
