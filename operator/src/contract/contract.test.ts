// The poller and the signed writes against real HTTP servers on loopback.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { sha256Hex, verifyWrite } from "@wscluster/platform";
import { podKey, type PodState } from "@wscluster/protocol";
import { afterEach, describe, expect, it } from "vitest";
import { Fleet } from "../cluster/testing/fleet.ts";
import { systemClock } from "../runtime/index.ts";
import { nextArrivals } from "./arrivals.ts";
import { createJsonSender } from "./http-json.ts";
import { parseEdgeState, parsePodState } from "./parse-state.ts";
import { StatePoller } from "./poller.ts";
import { ContractWriter, type WriteTarget } from "./writer.ts";

const UID = "11111111-2222-4333-8444-555555555555";
const KEY = "k1";

type Seen = { method: string; path: string; headers: Record<string, string | string[] | undefined>; body: string };

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function serve(answer: (seen: Seen) => { status: number; body: string } | undefined): Promise<number> {
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method = "", url: path = "", headers } = request;
      const given = answer({ method, path, headers, body: Buffer.concat(chunks).toString() });
      // Undefined: never answers.
      if (given !== undefined) response.writeHead(given.status).end(given.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function senderFor() {
  const sender = createJsonSender();
  cleanups.push(sender.close);
  return sender.send;
}

function stateOf(uid = UID): PodState {
  const fleet = new Fleet();
  fleet.startServer(uid, {});
  const state = fleet.stateOf(uid);
  if (state === undefined) throw new Error("no state");
  return state;
}

describe("signed writes", () => {
  const targetAt = (port: number, seq = 4): WriteTarget => ({
    uid: UID,
    name: "chat-1",
    host: "127.0.0.1",
    port,
    state: { bootNonce: "boot", seq, epoch: 2 },
  });

  it("carry a signature over body, pod, life, epoch and a rising seq", async () => {
    const seen: Seen[] = [];
    const port = await serve((request) => {
      seen.push(request);
      return { status: 200, body: JSON.stringify({ ok: true, epoch: 3, seq: 5 }) };
    });
    const writer = new ContractWriter(senderFor());
    const target = targetAt(port);
    expect(await writer.setMode(target, { mode: "none", sealed: false }, 3, KEY)).toEqual({ kind: "accepted" });
    const grant = { intent: "rollout/r/1", count: 2, windowMs: 1_000, deadlineMs: 9_000, targets: [] } as const;
    await writer.grant(target, grant, 3, KEY);
    expect(seen.map(({ path, headers }) => [path, headers["x-wsc-epoch"], headers["x-wsc-seq"]])).toEqual([
      ["/contract/v1/mode", "3", "5"],
      // The state is older than the last write: our own count goes on.
      ["/contract/v1/grants", "3", "6"],
    ]);
    expect(JSON.parse(seen[1]?.body ?? "")).toEqual({ ...grant, epoch: 3, seq: 6 });
    for (const [index, { path, body, headers }] of seen.entries()) {
      const write = { method: "POST", path, bodySha256: sha256Hex(body), podUid: UID, bootNonce: "boot", epoch: 3 };
      expect(verifyWrite([KEY], { ...write, seq: 5 + index }, String(headers["x-wsc-signature"]))).toBe(true);
      expect(verifyWrite([KEY], { ...write, seq: 50 }, String(headers["x-wsc-signature"]))).toBe(false);
    }
  });

  it("learn the pod's seq from a refusal", async () => {
    const seqs: unknown[] = [];
    const port = await serve(({ headers }) => {
      seqs.push(headers["x-wsc-seq"]);
      const body = { ok: false, code: "stale-seq", message: "older than 40", epoch: 3, seq: 40 };
      return { status: 409, body: JSON.stringify(body) };
    });
    const writer = new ContractWriter(senderFor());
    const refused = { kind: "refused", code: "stale-seq", message: "older than 40", epoch: 3 };
    expect(await writer.setMode(targetAt(port), { mode: "none", sealed: false }, 3, KEY)).toEqual(refused);
    await writer.setMode(targetAt(port), { mode: "none", sealed: false }, 3, KEY);
    expect(seqs).toEqual(["5", "41"]);
  });

  it("do not claim to know what an unanswered write did", async () => {
    const port = await serve(() => undefined);
    const writer = new ContractWriter(senderFor(), 50);
    const outcome = await writer.setMode(targetAt(port), { mode: "none", sealed: false }, 3, KEY);
    expect(outcome).toMatchObject({ kind: "unknown", message: expect.stringMatching(/within 50 ms/) });
    const html = await serve(() => ({ status: 502, body: "<html>" }));
    expect(await writer.setMode(targetAt(html), { mode: "none", sealed: false }, 3, KEY)).toMatchObject({
      kind: "unknown",
    });
  });
});

describe("StatePoller", () => {
  async function pollOnce(port: number, kind: "server" | "edge" = "server"): Promise<StatePoller> {
    let polled: (() => void) | undefined;
    const done = new Promise<void>((resolve) => {
      polled = resolve;
    });
    const poller = new StatePoller({
      clock: systemClock,
      send: senderFor(),
      onPolled: () => polled?.(),
      timeoutMs: 200,
    });
    cleanups.push(() => poller.stop());
    poller.watch("ns/chat", [{ uid: UID, key: podKey(UID), kind, host: "127.0.0.1", port }], 60_000);
    await done;
    return poller;
  }

  it("keeps the last answer", async () => {
    const state = stateOf();
    const poller = await pollOnce(await serve(() => ({ status: 200, body: JSON.stringify(state) })));
    expect(poller.podState(UID)).toMatchObject({ kind: "known", value: state });
    expect(poller.arrivals(UID)?.steadyFromMs).toBe(poller.arrivals(UID)?.steadyToMs);
    expect(poller.podState("other")).toEqual({ kind: "unknown", why: "it has not been asked yet" });
    expect(poller.edgeState(UID)).toEqual({ kind: "unknown", why: "its answer is of another kind" });
  });

  it.each([
    ["another pod at its address", 200, JSON.stringify(stateOf("99999999-2222-4333-8444-555555555555")), /another pod/],
    ["an error", 500, "{}", /it answers 500/],
    ["something else", 200, "hello", /is not JSON/],
    ["a state without a number", 200, JSON.stringify({ ...stateOf(), connections: undefined }), /connections/],
  ])("knows nothing after %s", async (_name, status, body, why) => {
    const poller = await pollOnce(await serve(() => ({ status, body })));
    expect(poller.podState(UID)).toMatchObject({ kind: "unknown", why: expect.stringMatching(why) });
  });

  it("forgets who is watched no longer, and nobody else", async () => {
    const other = "99999999-2222-4333-8444-555555555555";
    const port = await serve(() => ({ status: 200, body: JSON.stringify(stateOf()) }));
    const otherPort = await serve(() => ({ status: 200, body: JSON.stringify(stateOf(other)) }));
    const poller = await pollOnce(port);
    const target = { uid: other, key: podKey(other), kind: "server", host: "127.0.0.1", port: otherPort } as const;
    poller.watch("ns/news", [target], 60_000);
    await expect.poll(() => poller.podState(other).kind).toBe("known");
    poller.watch("ns/news", [], 60_000);
    poller.nudge("ns/news");
    await expect.poll(() => poller.podState(other).kind).toBe("unknown");
    expect(poller.arrivals(other)).toBeUndefined();
    expect(poller.podState(UID).kind).toBe("known");
    poller.forget("ns/chat");
    expect(poller.podState(UID).kind).toBe("unknown");
  });

  it("lets a known state age when a pod stops answering", async () => {
    let answers = 0;
    const port = await serve(() => (answers++ === 0 ? { status: 200, body: JSON.stringify(stateOf()) } : undefined));
    const poller = await pollOnce(port);
    const before = poller.podState(UID);
    poller.nudge("ns/chat");
    await expect.poll(() => answers, { timeout: 2_000 }).toBe(2);
    await expect
      .poll(() => {
        const reading = poller.podState(UID);
        return reading.kind === "known" && before.kind === "known" ? reading.ageMs > before.ageMs + 150 : undefined;
      })
      .toBe(true);
  });
});

it("counts a standstill only over the same life and the same number", () => {
  const at = (unnamed: number, bootNonce: string) => ({ bootNonce, arrivals: { named: 0, unnamed } });
  const first = nextArrivals(undefined, at(5, "a"), 1_000);
  const second = nextArrivals(first, at(5, "a"), 3_000);
  expect(second.toMs - second.fromMs).toBe(2_000);
  expect(nextArrivals(second, at(6, "a"), 4_000)).toMatchObject({ fromMs: 4_000, toMs: 4_000 });
  expect(nextArrivals(second, at(5, "b"), 4_000)).toMatchObject({ fromMs: 4_000, toMs: 4_000 });
});

it("checks who answers", () => {
  expect(parsePodState(stateOf(), podKey(UID)).ok).toBe(true);
  const edge = { edge: "e1", generation: 1, servers: {}, connections: 0, sourceAgeMs: 0 };
  expect(parseEdgeState(edge, "e1").ok).toBe(true);
  expect(parseEdgeState(edge, "e2")).toMatchObject({ ok: false, why: expect.stringMatching(/another edge pod/) });
});
