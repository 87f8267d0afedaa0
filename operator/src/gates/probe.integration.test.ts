// The operator's client against the real server, as a process of its own.
import { type ChildProcess, spawn } from "node:child_process";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { probePod, type ProbeTarget } from "./probe.ts";

const KEY = "an-admin-key-of-the-test";
const UID = "11111111-2222-4333-8444-555555555555";
const MAIN = new URL("../../../server/src/main.ts", import.meta.url).pathname;

let child: ChildProcess;
let target: ProbeTarget;
let admin = "";
let nonces = 0;

beforeAll(async () => {
  child = spawn(process.execPath, ["--conditions=@wscluster/source", MAIN], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      WSC_HOST: "127.0.0.1",
      WSC_PORT: "0",
      WSC_ADMIN_PORT: "0",
      WSC_POD_UID: UID,
      WSC_PATH: "/live",
      WSC_ADMIN_KEYS: `${KEY},another-admin-key-of-it`,
      WSC_ALLOWED_ORIGINS: "https://app.example",
      WSC_JWT_SECRET: "a secret of tokens",
      WSC_TERMINATION_SECONDS: "1",
    },
  });
  const ports = await new Promise<{ port: number; adminPort: number }>((resolve) => {
    let text = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      for (const line of text.split("\n")) {
        if (line.includes('"adminPort"')) resolve(JSON.parse(line) as { port: number; adminPort: number });
      }
    });
  });
  admin = `http://127.0.0.1:${ports.adminPort}`;
  const { bootNonce } = await stateNow();
  target = { host: "127.0.0.1", port: ports.port, path: "/live", podUid: UID, bootNonce };
}, 20_000);
afterAll(async () => {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
});

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const stateNow = async () =>
  (await (await fetch(`${admin}/contract/v1/state`)).json()) as {
    bootNonce: string;
    connections: number;
    probe: number;
  };

const probe = (more: Partial<ProbeTarget> = {}, key = KEY, timeoutMs = 3_000) =>
  probePod({ target: { ...target, ...more }, key, nonce: `nonce-of-the-test-${++nonces}`, timeoutMs });

async function serve(answer: (server: Server) => void): Promise<number> {
  const server = createServer();
  answer(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

describe("the operator's client", () => {
  it("is served by a real server, again and again, and is in nobody's numbers", async () => {
    expect((await stateNow()).probe).toBe(1);
    for (let visit = 0; visit < 3; visit++) {
      expect(await probe()).toEqual({ kind: "served", ms: expect.any(Number) });
    }
    expect((await stateNow()).connections).toBe(0);
    const metrics = await (await fetch(`${admin}/metrics`)).text();
    expect(metrics).not.toMatch(/wscluster_(connections_opened|messages_received|publishes)_total\{/);
  });

  it.each<[string, Partial<ProbeTarget>, string | undefined, RegExp]>([
    ["with another key", {}, "not the admin key", /^its client port answers the upgrade with 403$/],
    ["of another life", { bootNonce: "before" }, undefined, /^its client port answers the upgrade with 403$/],
    ["at another path", { path: "/ws" }, undefined, /^its client port answers the upgrade with 404$/],
  ])("is refused %s", async (_name, more, key, why) => {
    expect(await probe(more, key)).toEqual({ kind: "failed", why: expect.stringMatching(why) });
  });

  it("does not blame a pod that nobody can reach", async () => {
    const port = await serve(() => {});
    cleanups.pop()?.();
    expect(await probe({ port })).toEqual({ kind: "unreachable", why: "ECONNREFUSED" });
    // Takes the connection and says nothing, as behind a firewall that drops.
    const silent = await serve((server) => void server.on("request", () => {}));
    expect(await probe({ port: silent }, KEY, 200)).toEqual({ kind: "unreachable", why: "no answer within 200 ms" });
  });

  it("blames a pod that answers something else", async () => {
    const port = await serve(
      (server) => void server.on("request", (_request, response) => response.writeHead(200).end("hello")),
    );
    expect(await probe({ port })).toEqual({ kind: "failed", why: "its client port answers the upgrade with 200" });
  });

  it("ends when it is told to", async () => {
    const stop = new AbortController();
    stop.abort();
    const outcome = await probePod({
      target,
      key: KEY,
      nonce: "nonce-of-the-end-1",
      timeoutMs: 3_000,
      signal: stop.signal,
    });
    expect(outcome).toEqual({ kind: "unreachable", why: "stopped" });
  });
});
