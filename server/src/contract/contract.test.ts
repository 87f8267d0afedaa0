import { afterEach, describe, expect, it } from "vitest";
import { CONTRACT_PATHS, WRITE_HEADERS, partitionOf } from "@wscluster/protocol";
import type { Grant, ModeRequest, PodState, WriteAnswer } from "@wscluster/protocol";
import { sha256Hex, signWrite } from "@wscluster/platform";
import type { HealthCheck } from "../telemetry/health.ts";
import { MemoryStore, TEST_ADMIN_KEY } from "../testing/index.ts";
import type { TestServer } from "../testing/index.ts";
import type { RawClient } from "../testing/raw-client.ts";
import { createStage } from "../testing/stage.ts";

const { server, connect, clear } = createStage();
afterEach(clear);

async function write(
  to: TestServer,
  path: string,
  body: ModeRequest | Grant,
  epoch: number,
  seq: number,
  key = TEST_ADMIN_KEY,
): Promise<readonly [number, WriteAnswer]> {
  const text = JSON.stringify(body);
  const signature = signWrite(key, {
    method: "POST",
    path,
    bodySha256: sha256Hex(text),
    podUid: to.pod.podUid,
    bootNonce: to.pod.bootNonce,
    epoch,
    seq,
  });
  const response = await fetch(to.adminUrl + path, {
    method: "POST",
    body: text,
    headers: {
      [WRITE_HEADERS.epoch]: String(epoch),
      [WRITE_HEADERS.seq]: String(seq),
      [WRITE_HEADERS.signature]: signature,
    },
  });
  return [response.status, (await response.json()) as WriteAnswer];
}

const { mode: MODE, grants: GRANTS, state: STATE, readyz: READY, livez: LIVE } = CONTRACT_PATHS;
const stateOf = async (one: TestServer) => (await (await fetch(one.adminUrl + STATE)).json()) as PodState;
const statusOf = async (one: TestServer, path: string) => (await fetch(one.adminUrl + path)).status;

function grantFor(target: TestServer, change: Partial<Grant>): Grant {
  return {
    epoch: 1,
    seq: 1,
    intent: "rollout/r/1",
    count: 10,
    windowMs: 200,
    targets: [{ pod: target.podKey, count: 10 }],
    deadlineMs: 5_000,
    ...change,
  };
}

async function openClients(one: TestServer, count: number, caps: readonly ("migrate" | "resume")[] = ["migrate"]) {
  const clients: RawClient[] = [];
  for (let n = 0; n < count; n += 1) {
    const client = await connect(one.url);
    client.hello({ caps });
    await client.find("ready");
    clients.push(client);
  }
  return clients;
}

const asked = (clients: readonly RawClient[]) =>
  clients.filter(({ frames }) => frames.some(({ t }) => t === "migrate")).length;

describe("contract writes", () => {
  it("take effect once, in order of epoch and seq, over both endpoints", async () => {
    const a = await server();
    const on = { mode: "active", sealed: false } as const;
    const off = { mode: "none", sealed: false } as const;
    expect(await write(a, MODE, off, 0, 0)).toMatchObject([409, { code: "stale-seq" }]);
    expect(await write(a, MODE, off, 2, 5)).toEqual([200, { ok: true, epoch: 2, seq: 5 }]);
    // The same seq again gets the same answer and does nothing, whatever it says.
    expect(await write(a, MODE, on, 2, 5)).toEqual([200, { ok: true, epoch: 2, seq: 5 }]);
    expect((await stateOf(a)).mode).toBe("none");
    expect(await write(a, MODE, on, 2, 4)).toMatchObject([409, { code: "stale-seq", epoch: 2, seq: 5 }]);
    expect(await write(a, MODE, on, 1, 9)).toMatchObject([409, { code: "stale-epoch" }]);
    expect(await write(a, GRANTS, grantFor(a, { epoch: 2, seq: 5 }), 2, 5)).toMatchObject([200, { seq: 5 }]);
    expect(await write(a, GRANTS, grantFor(a, { epoch: 2, seq: 6 }), 2, 6)).toMatchObject([200, { seq: 6 }]);
    expect(await write(a, MODE, on, 3, 1)).toMatchObject([200, { epoch: 3, seq: 1 }]);
    expect(await stateOf(a)).toMatchObject({ mode: "active", epoch: 3, seq: 1, refusedWrites: 3 });
  });

  it("are refused with a wrong key, for another pod or boot, or when the body was changed", async () => {
    const [a, b] = [await server(), await server()];
    const body = { mode: "none", sealed: true } as const;
    expect(await write(a, MODE, body, 1, 1, "another-key")).toMatchObject([401, { code: "bad-signature" }]);
    const foreign = { ...a, adminUrl: b.adminUrl };
    expect((await write(foreign, MODE, body, 1, 1))[0]).toBe(401);
    expect((await fetch(a.adminUrl + MODE, { method: "POST", body: JSON.stringify(body) })).status).toBe(401);
    expect(await stateOf(a)).toMatchObject({ mode: "active", sealed: false, epoch: 0, refusedWrites: 2 });
  });

  it("are refused when the body is wrong, and use up no seq", async () => {
    const a = await server();
    const wrong = [
      grantFor(a, { epoch: 1, seq: 2 }),
      grantFor(a, { count: -1 }),
      grantFor(a, { windowMs: 0 }),
      { ...grantFor(a, {}), intent: "holiday/x" } as unknown as Grant,
      grantFor(a, { select: { partition: 128 } }),
      grantFor(a, { select: { key: "" } }),
    ];
    for (const grant of wrong)
      expect(await write(a, GRANTS, grant, 1, 1)).toMatchObject([400, { code: "bad-request" }]);
    expect((await write(a, GRANTS, grantFor(a, {}), 1, 1))[0]).toBe(200);
  });
});

describe("readiness", () => {
  it("stays while the pod drains and goes when it is sealed and empty; undoing it brings it back", async () => {
    const a = await server();
    const [client] = await openClients(a, 1);
    expect(await statusOf(a, READY)).toBe(200);
    await write(a, MODE, { mode: "none", sealed: true }, 1, 1);
    expect(await statusOf(a, READY)).toBe(200);
    client?.close();
    await expect.poll(() => statusOf(a, READY)).toBe(503);
    expect(await statusOf(a, LIVE)).toBe(200);
    await write(a, MODE, { mode: "active", sealed: false }, 1, 2);
    expect(await statusOf(a, READY)).toBe(200);
  });

  it("waits for the store at first and never again", async () => {
    const store = new MemoryStore();
    store.away = true;
    const a = await server({ broker: store });
    expect(await statusOf(a, READY)).toBe(503);
    expect(await statusOf(a, LIVE)).toBe(200);
    store.away = false;
    await expect.poll(() => statusOf(a, READY), { timeout: 5_000 }).toBe(200);
    store.away = true;
    await expect.poll(async () => (await stateOf(a)).broker.ok, { timeout: 8_000 }).toBe(false);
    expect(await statusOf(a, READY)).toBe(200);
    expect(await statusOf(a, LIVE)).toBe(200);
  });
});

describe("a pod that leaves with a deadline", () => {
  it("asks by itself, closes the rest with a window, and is not ready any more, without another word of the operator", async () => {
    const store = new MemoryStore();
    // The one that leaves is born last: it knows the other one from its first beat on.
    const [, a] = [await server({ broker: store }), await server({ broker: store })] as const;
    const [client] = await openClients(a, 1);
    await write(a, MODE, { mode: "none", sealed: false, deadlineMs: 2_000 }, 1, 1);
    expect((await stateOf(a)).deadlineInMs).toBeGreaterThan(0);
    expect(await client?.find("migrate")).toMatchObject({ reason: "evacuate" });
    expect(await client?.find("bye")).toMatchObject({ code: 4200 });
    await expect.poll(() => statusOf(a, READY)).toBe(503);
    expect(await stateOf(a)).toMatchObject({ sealed: true, connections: 0, terminating: false });
    expect((await stateOf(a)).receipts[`evacuate/${a.podKey}`]).toMatchObject({ offered: 1, cut: 1 });
  });

  it("stays when the deadline is lifted or its mode is given back", async () => {
    const a = await server();
    const [client] = await openClients(a, 1);
    await write(a, MODE, { mode: "none", sealed: false, deadlineMs: 60_000 }, 1, 1);
    await write(a, MODE, { mode: "none", sealed: false }, 1, 2);
    expect((await stateOf(a)).deadlineInMs).toBe(null);
    await write(a, MODE, { mode: "active", sealed: false, deadlineMs: 1 }, 1, 3);
    expect(await stateOf(a)).toMatchObject({ deadlineInMs: null, mode: "active", connections: 1 });
    expect(client?.frames.some(({ t }) => t === "migrate" || t === "bye")).toBe(false);
  });
});

describe("grants", () => {
  it("move at most so many connections, to the targets named, and count them", async () => {
    const store = new MemoryStore();
    const [a, b, c] = [
      await server({ broker: store }),
      await server({ broker: store }),
      await server({ broker: store }),
    ];
    const clients = await openClients(a, 8);
    const targets = [
      { pod: b.podKey, count: 4 },
      { pod: c.podKey, count: 2 },
    ];
    await write(a, GRANTS, grantFor(b, { count: 6, targets }), 1, 1);
    await expect.poll(() => asked(clients)).toBe(6);
    const pods = clients.flatMap(({ frames }) => frames.flatMap((frame) => (frame.t === "migrate" ? [frame.pod] : [])));
    expect(pods.filter((pod) => pod === b.podKey)).toHaveLength(4);
    expect(pods.filter((pod) => pod === c.podKey)).toHaveLength(2);
    expect((await stateOf(a)).moving).toBe(6);
    await expect.poll(async () => (await stateOf(b)).receipts["rollout/r/1"]?.offered).toBe(6);
    const willing = clients.find(({ frames }) => frames.some(({ t }) => t === "migrate"));
    const { id } = (await willing?.find("migrate")) ?? expect.unreachable();
    willing?.send({ t: "migrate.fail", id, why: "no route" });
    await expect.poll(async () => (await stateOf(b)).receipts["rollout/r/1"]?.refused).toBe(1);
    expect((await stateOf(a)).moving).toBe(5);
  });

  it("take those of one partition, or of one key, and nobody else", async () => {
    const [a, b] = [await server(), await server()];
    const users = ["ann", "bob", "cat", "eve"];
    const clients: RawClient[] = [];
    for (const user of users) {
      const client = await connect(a.url);
      client.hello({ user });
      await client.find("ready");
      clients.push(client);
    }
    const askedUsers = () => users.filter((_, at) => clients[at]?.frames.some(({ t }) => t === "migrate"));
    const select = { partition: partitionOf("bob") };
    await write(a, GRANTS, grantFor(b, { select, windowMs: 40 }), 1, 1);
    await expect.poll(askedUsers).toEqual(["bob"]);
    await write(a, GRANTS, grantFor(b, { seq: 2, select: { key: "eve" }, windowMs: 40 }), 1, 2);
    await expect.poll(askedUsers).toEqual(["bob", "eve"]);
    await write(a, GRANTS, grantFor(b, { seq: 3, select: { key: "nobody" }, windowMs: 40 }), 1, 3);
    await expect.poll(async () => (await stateOf(a)).seq).toBe(3);
    await write(a, GRANTS, grantFor(b, { seq: 4, count: 1, windowMs: 40 }), 1, 4);
    await expect.poll(() => askedUsers().length).toBe(3);
  });

  it("replace the unused rest of the one before", async () => {
    const [a, b] = [await server(), await server()];
    const clients = await openClients(a, 6);
    const slow = grantFor(b, { count: 6, windowMs: 3_600_000, targets: [{ pod: b.podKey, count: 6 }] });
    await write(a, GRANTS, slow, 1, 1);
    await write(a, GRANTS, grantFor(b, { seq: 2, count: 2, windowMs: 50 }), 1, 2);
    await expect.poll(() => asked(clients)).toBe(2);
    await write(a, GRANTS, grantFor(b, { seq: 3, count: 0, targets: [], windowMs: 50 }), 1, 3);
    await expect.poll(async () => (await stateOf(a)).moving).toBe(2);
    expect(asked(clients)).toBe(2);
  });

  it("that are not answered in time count as late; the client stays and may be asked again", async () => {
    const [a, b] = [await server(), await server()];
    const [client] = await openClients(a, 1);
    await write(a, GRANTS, grantFor(b, { count: 1, windowMs: 20, deadlineMs: 50 }), 1, 1);
    await client?.find("migrate");
    await expect.poll(async () => (await stateOf(a)).receipts["rollout/r/1"]).toMatchObject({ offered: 1, late: 1 });
    expect(await stateOf(a)).toMatchObject({ connections: 1, moving: 0 });
    client?.clear();
    await write(a, GRANTS, grantFor(b, { seq: 2, count: 1, windowMs: 20 }), 1, 2);
    await client?.find("migrate");
  });

  it("ask clients that cannot move to come back by themselves, after those that can", async () => {
    const [a, b] = [await server(), await server()];
    const [plain] = await openClients(a, 1, ["resume"]);
    const [able] = await openClients(a, 1);
    await write(a, GRANTS, grantFor(b, { count: 1, windowMs: 20 }), 1, 1);
    await able?.find("migrate");
    expect(plain?.frames.some(({ t }) => t === "bye")).toBe(false);
    await write(a, GRANTS, grantFor(b, { seq: 2, count: 2, windowMs: 20 }), 1, 2);
    expect(await plain?.find("bye")).toMatchObject({ code: 4202, minMs: 0 });
    expect(await plain?.closed).toBe(4202);
    await expect.poll(async () => (await stateOf(a)).receipts["rollout/r/1"]).toMatchObject({ offered: 2, cut: 1 });
  });
});

describe("state", () => {
  it("has what the operator needs", async () => {
    const a = await server({ settings: { maxPerPod: 77, generation: 5 } });
    await openClients(a, 2);
    await openClients(a, 1, ["resume"]);
    expect(await stateOf(a)).toMatchObject({
      contract: 1,
      podKey: a.podKey,
      bootNonce: a.pod.bootNonce,
      mode: "active",
      sealed: false,
      terminating: false,
      connections: 3,
      sessions: { migrate: 2, resume: 1, plain: 0 },
      preparing: 0,
      capacity: 77,
      arrivals: { named: 0, unnamed: 3 },
      broker: { ok: true },
      moving: 0,
      receipts: {},
      configGeneration: 5,
      speaks: { protocol: 1, session: 1, ticket: 1 },
    });
    const metrics = await (await fetch(a.adminUrl + CONTRACT_PATHS.metrics)).text();
    expect(metrics).toContain("wscluster_connections 3");
  });
});

describe("health", () => {
  const healthOf = async (one: TestServer) => {
    const response = await fetch(one.adminUrl + CONTRACT_PATHS.health);
    const body = (await response.json()) as {
      readonly status: string;
      readonly version: string;
      readonly updatedAt: string;
      readonly checks: readonly HealthCheck[];
    };
    return { status: response.status, body };
  };

  it("names each check with its figure and threshold, the version and when it was taken", async () => {
    const a = await server({ version: "9.8.7", settings: { maxPerPod: 20 } });
    await openClients(a, 2);
    const { status, body } = await healthOf(a);
    expect([status, body.status, body.version]).toEqual([200, "ok", "9.8.7"]);
    expect(Date.now() - Date.parse(body.updatedAt)).toBeLessThan(5_000);
    expect(body.checks[0]).toEqual({ name: "slots", ok: true, value: 2, limit: 18 });
    expect(body.checks.map(({ name }) => name)).toEqual([
      "slots",
      "memoryBytes",
      "sendQueueBytes",
      "brokerSilenceMs",
      "eventLoopLagMs",
    ]);
    expect(body.checks.every(({ value, limit }) => value >= 0 && limit > 0)).toBe(true);
  });

  it("fails above 90 % of the slots while the pod stays alive and ready: a full pod is no broken one", async () => {
    const a = await server({ settings: { maxPerPod: 4 } });
    const clients = await openClients(a, 4);
    const { status, body } = await healthOf(a);
    expect([status, body.status]).toEqual([503, "failing"]);
    expect(body.checks.flatMap(({ name, ok }) => (ok ? [] : [name]))).toEqual(["slots"]);
    expect([await statusOf(a, LIVE), await statusOf(a, READY)]).toEqual([200, 200]);
    clients[0]?.close();
    await expect.poll(async () => (await healthOf(a)).status).toBe(200);
  });
});
