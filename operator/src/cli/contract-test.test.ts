import { type ModeRequest, type PodState, podKey, WRITE_HEADERS } from "@wscluster/protocol";
import { sha256Hex, verifyWrite } from "@wscluster/platform";
import { describe, expect, it } from "vitest";
import { contractTest } from "./contract-test.ts";

const KEY = "admin-key";
const UID = "11111111-2222-4333-8444-555555555555";

type Faults = {
  readonly state?: Partial<Record<keyof PodState, unknown>>;
  readonly trustsAll?: boolean;
  readonly forgetsSeq?: boolean;
  readonly staysReady?: boolean;
  readonly noDeadline?: boolean;
};

/** A server of somebody else's, as small as the contract allows, with what it gets wrong. */
function foreign(faults: Faults = {}) {
  let mode: ModeRequest = { mode: "active", sealed: false };
  const last = { epoch: 3, seq: 1 };
  let refusedWrites = 0;
  const state = () => ({
    contract: 1,
    podKey: podKey(UID),
    bootNonce: "0123456789abcdef",
    ...mode,
    terminating: false,
    ...last,
    refusedWrites,
    connections: 0,
    sessions: { migrate: 0, resume: 0, plain: 0 },
    preparing: 0,
    capacity: 100,
    arrivals: { named: 0, unnamed: 0 },
    load: { cpu: 0, rssBytes: 0, eventLoopLagMs: 0, messagesInPerSecond: 0, messagesOutPerSecond: 0 },
    pressure: 0,
    broker: { ok: true, lastOkAgoMs: 0 },
    moving: 0,
    ...(faults.noDeadline === true ? {} : { deadlineInMs: mode.deadlineMs ?? null }),
    receipts: {},
    configGeneration: 1,
    speaks: { session: 1, ticket: 1, protocol: 1 },
    ...faults.state,
  });
  const json = (body: unknown, status = 200) => Promise.resolve(new Response(JSON.stringify(body), { status }));
  const write = (path: string, body: string, headers: Headers) => {
    const epoch = Number(headers.get(WRITE_HEADERS.epoch));
    const seq = Number(headers.get(WRITE_HEADERS.seq));
    const signed = {
      method: "POST",
      path,
      bodySha256: sha256Hex(body),
      podUid: UID,
      bootNonce: "0123456789abcdef",
      epoch,
      seq,
    };
    const isSigned = verifyWrite([KEY], signed, headers.get(WRITE_HEADERS.signature) ?? "");
    const refuse = (status: number, code: string) => {
      refusedWrites++;
      return json({ ok: false, code, message: code, ...last }, status);
    };
    if (!isSigned && faults.trustsAll !== true) return refuse(401, "bad-signature");
    if (epoch < last.epoch) return refuse(409, "stale-epoch");
    if (epoch === last.epoch && faults.forgetsSeq !== true) {
      if (seq < last.seq) return refuse(409, "stale-seq");
      if (seq === last.seq) return json({ ok: true, ...last });
    }
    Object.assign(last, { epoch, seq });
    if (path.endsWith("/mode")) mode = JSON.parse(body) as ModeRequest;
    return json({ ok: true, ...last });
  };
  return (url: string, init: RequestInit = {}): Promise<Response> => {
    const path = new URL(url).pathname;
    if (init.method === "POST") return write(path, String(init.body), new Headers(init.headers));
    if (path === "/contract/v1/state") return json(state());
    if (path === "/metrics") return Promise.resolve(new Response("# TYPE a gauge\na 1\n"));
    const isReady = path !== "/readyz" || faults.staysReady === true || !mode.sealed;
    return Promise.resolve(new Response("", { status: isReady ? 200 : 503 }));
  };
}

const test = (faults?: Faults) =>
  contractTest({ url: "http://server:1/", key: KEY, podUid: UID, fetch: foreign(faults), readyWithinMs: 150 });

describe("contract test", () => {
  it("is content with a server that keeps the contract", async () => {
    const { lines, code } = await test();
    expect(code).toBe(0);
    expect(lines.filter((line) => line.startsWith("ok"))).toHaveLength(13);
    expect(lines.at(-1)).toBe("13 of 13 checks passed or skipped, 0 failed");
  });

  it("writes nothing without the key, and says so", async () => {
    const { lines, code } = await contractTest({ url: "http://server:1", fetch: foreign() });
    expect(code).toBe(0);
    expect(lines.some((line) => line.startsWith("skipped signed writes: --key and --pod-uid are needed"))).toBe(true);
  });

  it.each<[string, Faults, RegExp]>([
    ["a number is missing", { state: { connections: undefined } }, /^failed .*state.*connections/],
    [
      "it trusts everybody",
      { trustsAll: true },
      /^failed {2}an unsigned write is refused and counted: it answers 409 instead of 401/,
    ],
    ["it takes a write twice", { forgetsSeq: true }, /^failed {2}the same seq again .*: it took effect twice/],
    ["it never turns itself not ready", { staysReady: true }, /^failed {2}sealed and empty.*: \/readyz answers 200/],
  ])("names what is wrong: %s", async (_what, faults, expected) => {
    const { lines, code } = await test(faults);
    expect(code).toBe(1);
    expect(lines.filter((line) => line.startsWith("failed")).join("\n")).toMatch(new RegExp(expected.source, "m"));
  });

  it("skips what a server need not do", async () => {
    const { lines, code } = await test({ noDeadline: true });
    expect(code).toBe(0);
    expect(lines.some((line) => line.startsWith("skipped a deadline is kept: it shows no `deadlineInMs`"))).toBe(true);
  });

  it("says that nobody answers", async () => {
    const away = () => Promise.reject(new Error("connection refused"));
    const { lines, code } = await contractTest({ url: "http://server:1", fetch: away });
    expect([code, lines[0]]).toEqual([1, "failed  GET /livez answers 200: connection refused"]);
  });
});
