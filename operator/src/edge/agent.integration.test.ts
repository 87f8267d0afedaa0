// The agent against a real HAProxy. Kubernetes is a list in memory here; source.test.ts reads it from an API server.
import { randomInt } from "node:crypto";
import { join } from "node:path";
import { createLogger } from "@wscluster/platform";
import type { EdgeInstructions, EdgeState } from "@wscluster/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../runtime/index.ts";
import { EdgeAgent } from "./agent.ts";
import { noCounts } from "./counters.ts";
import type { ServerPod } from "./pods.ts";
import { HaproxyProxy } from "./proxy.ts";
import type { EdgeFacts, EdgeSource } from "./source.ts";
import { fileSnapshots } from "./snapshot.ts";
import { Termination } from "./termination.ts";
import { HAPROXY, startHaproxy, until, type TestHaproxy } from "./testing/haproxy.ts";
import { dial, dialOpen, dialRefused, get, startPod, type TestPod, type TestSocket } from "./testing/socket.ts";

const EDGE_UID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
const [BLUE_1, BLUE_2, GREEN] = ["b100000000000001", "b200000000000002", "9000000000000003"] as const;

class ListSource implements EdgeSource {
  facts: EdgeFacts | undefined;
  readonly #handlers: (() => void)[] = [];
  start(): void {}
  async stop(): Promise<void> {}
  read(): EdgeFacts | undefined {
    return this.facts;
  }
  onChange(handler: () => void): void {
    this.#handlers.push(handler);
  }
  set(pods: readonly ServerPod[], instructions: EdgeInstructions | undefined): void {
    this.facts = { pods, instructions, ageMs: 7 };
    for (const handler of this.#handlers) handler();
  }
}

function podFor(pod: TestPod, revision: string, more: Partial<ServerPod> = {}): ServerPod {
  const { key, port } = pod;
  return { key, address: "127.0.0.1", port, adminPort: port, revision, isEligible: true, isReady: true, ...more };
}

describe.skipIf(HAPROXY === undefined)("edge agent with HAProxy", () => {
  let haproxy: TestHaproxy;
  let source: ListSource;
  let agent: EdgeAgent;
  let proxy: HaproxyProxy;
  const pods: TestPod[] = [];
  const sockets: TestSocket[] = [];
  const agents: EdgeAgent[] = [];

  const startAgent = async (from: EdgeSource): Promise<EdgeAgent> => {
    proxy = new HaproxyProxy({ path: haproxy.runtimePath });
    const started = new EdgeAgent({
      edge: "aaaaaaaabbbb4ccc",
      proxy,
      source: from,
      snapshots: fileSnapshots(join(haproxy.folder, "snapshot.json")),
      clock: systemClock,
      log: createLogger("silent"),
      counters: noCounts(),
      // Long, so that a test proves that events and not the resync did it.
      resyncMs: 60_000,
    });
    agents.push(started);
    await started.start();
    return started;
  };
  const pod = async (key: string): Promise<TestPod> => {
    const started = await startPod(key);
    pods.push(started);
    return started;
  };
  const open = async (path: string, headers?: Record<string, string>): Promise<TestSocket> => {
    const socket = await dialOpen(haproxy.clientPath, path, headers);
    sockets.push(socket);
    return socket;
  };
  const acknowledged = async (generation: number, states: Record<string, string>): Promise<EdgeState> => {
    let last: EdgeState | undefined;
    await until(
      async () => {
        last = await agent.state().catch(() => undefined);
        if (last?.generation !== generation) return false;
        const has = Object.fromEntries(Object.entries(last.servers).map(([key, server]) => [key, server.state]));
        return JSON.stringify(sorted(has)) === JSON.stringify(sorted(states));
      },
      `generation ${generation} with ${JSON.stringify(states)}`,
      () => JSON.stringify(last),
    );
    return last as EdgeState;
  };

  beforeEach(async () => {
    haproxy = await startHaproxy(EDGE_UID);
    source = new ListSource();
    agent = await startAgent(source);
  });

  afterEach(async () => {
    await Promise.all(sockets.splice(0).map((socket) => socket.close()));
    for (const started of agents.splice(0)) await started.stop();
    await haproxy.dispose();
    await Promise.all(pods.splice(0).map((started) => started.close()));
  });

  it("switches arrivals to the new revision while the sockets of the old one live on, in one and the same process", async () => {
    const [blue, green] = [await pod(BLUE_1), await pod(GREEN)];
    source.set([podFor(blue, "blue")], { generation: 1, takesNew: ["blue"] });
    await acknowledged(1, { [BLUE_1]: "ready" });
    const { pid } = haproxy;
    const old = await open("/ws");
    expect(old.pod).toBe(BLUE_1);
    source.set([podFor(blue, "blue"), podFor(green, "green")], { generation: 2, takesNew: ["green"] });
    const state = await acknowledged(2, { [BLUE_1]: "drain", [GREEN]: "ready" });
    expect(state.servers[BLUE_1]).toEqual({ state: "drain", address: `127.0.0.1:${blue.port}`, sessions: 1 });
    expect(state.connections).toBe(1);
    for (let count = 0; count < 5; count++) expect((await open("/ws")).pod).toBe(GREEN);
    expect(await old.echo("still here")).toBe("still here");
    const named = await open(`/ws?pod=${BLUE_1}&ticket=any`);
    expect(named.pod).toBe(BLUE_1);
    expect(haproxy.pid).toBe(pid);
    expect(await agent.isReady()).toBe(true);
  });

  it("gives no unnamed arrival to a server that was added to be drained, also after named ones came", async () => {
    const [blue, green] = [await pod(BLUE_1), await pod(GREEN)];
    const all = [podFor(blue, "blue"), podFor(green, "green")];
    source.set(all, { generation: 1, takesNew: ["blue"] });
    await acknowledged(1, { [BLUE_1]: "ready", [GREEN]: "drain" });
    for (let count = 0; count < 3; count++) await open(`/ws?pod=${GREEN}&ticket=any`);
    for (let count = 0; count < 20; count++) expect((await open("/ws")).pod).toBe(BLUE_1);
    // Back and forth: a proxy that counts the server twice hangs here.
    for (const [generation, takesNew, state] of [
      [2, ["blue", "green"], "ready"],
      [3, ["blue"], "drain"],
    ] as const) {
      source.set(all, { generation, takesNew });
      await acknowledged(generation, { [BLUE_1]: "ready", [GREEN]: state });
    }
    for (let count = 0; count < 20; count++) expect((await open("/ws")).pod).toBe(BLUE_1);
  });

  it("leads a part of the unnamed arrivals to another revision, evenly over its pods, and takes it back", async () => {
    const [blue, first, second] = [await pod(BLUE_1), await pod(GREEN), await pod(BLUE_2)];
    const all = [podFor(blue, "blue"), podFor(first, "green"), podFor(second, "green")];
    const states = { [BLUE_1]: "ready", [GREEN]: "drain", [BLUE_2]: "drain" };
    source.set(all, { generation: 1, takesNew: ["blue"], share: { revision: "green", percent: 50 } });
    const state = await acknowledged(1, states);
    expect(state.share).toEqual({ revision: "green", percent: 50 });
    const { pid } = haproxy;
    for (let count = 0; count < 300; count++) await (await dialOpen(haproxy.clientPath, "/ws")).close();
    // Four standard deviations of a fair throw.
    expect(Math.abs(blue.arrivals.length - 150)).toBeLessThan(36);
    expect(Math.abs(first.arrivals.length - 75)).toBeLessThan(30);
    expect(first.arrivals.length + second.arrivals.length + blue.arrivals.length).toBe(300);
    // Who names a pod is not led anywhere else.
    for (let count = 0; count < 10; count++) expect((await open(`/ws?pod=${BLUE_1}&ticket=any`)).pod).toBe(BLUE_1);
    const held = await open(`/ws?pod=${GREEN}&ticket=any`);
    source.set(all, { generation: 2, takesNew: ["blue"] });
    expect((await acknowledged(2, states)).share).toBeUndefined();
    for (let count = 0; count < 10; count++) expect((await open("/ws")).pod).toBe(BLUE_1);
    expect(await held.echo("still here")).toBe("still here");
    expect(haproxy.pid).toBe(pid);
  });

  it("leads the part of dead pods to the others, and programs it again after the proxy was killed", async () => {
    const [blue, green] = [await pod(BLUE_1), await pod(GREEN)];
    const all = [podFor(blue, "blue"), podFor(green, "green")];
    const share = { revision: "green", percent: 99 };
    source.set(all, { generation: 1, takesNew: ["blue"], share });
    await acknowledged(1, { [BLUE_1]: "ready", [GREEN]: "drain" });
    await haproxy.kill();
    await haproxy.start();
    await until(async () => (await agent.state().catch(() => undefined))?.share?.percent === 99, "the share is back");
    source.set([podFor(blue, "blue"), podFor(green, "green", { isReady: false })], {
      generation: 1,
      takesNew: ["blue"],
      share,
    });
    await until(async () => (await agent.state()).share === undefined, "nobody is left to lead to");
    for (let count = 0; count < 10; count++) expect((await open("/ws")).pod).toBe(BLUE_1);
  });

  it("tells the pod whom it means and through which edge, whatever the client claims", async () => {
    const blue = await pod(BLUE_1);
    source.set([podFor(blue, "blue")], { generation: 1, takesNew: ["blue"] });
    await acknowledged(1, { [BLUE_1]: "ready" });
    await open("/ws?x=1", { "x-wscluster-pod": "forged", "x-wscluster-edge": "forged" });
    expect(blue.arrivals[0]?.headers).toMatchObject({
      "x-wscluster-pod": BLUE_1,
      "x-wscluster-edge": "aaaaaaaabbbb4ccc",
      upgrade: "websocket",
    });
    expect(blue.arrivals[0]?.url).toBe("/ws?x=1");
    await until(() => blue.checks.length > 0, "a check came");
    expect(new Set(blue.checks)).toEqual(new Set([BLUE_1]));
  });

  it("refuses at the edge what no pod should see", async () => {
    const blue = await pod(BLUE_1);
    source.set([podFor(blue, "blue")], { generation: 1, takesNew: ["blue"] });
    await acknowledged(1, { [BLUE_1]: "ready" });
    expect(await dialRefused(haproxy.clientPath, `/ws?pod=${GREEN}&ticket=any`)).toMatchObject({
      status: 421,
      body: '{"code":"unknown-pod"}',
      headers: { connection: "close" },
    });
    expect((await dialRefused(haproxy.clientPath, "/ws?pod=be_pods/x&ticket=any")).status).toBe(421);
    expect((await dialRefused(haproxy.clientPath, "/ws?pod=&ticket=any")).status).toBe(421);
    expect((await dialRefused(haproxy.clientPath, `/ws?pod=${BLUE_1}`)).status).toBe(403);
    const plain = await get(haproxy.clientPath, "/ws");
    expect([plain.status, plain.headers.upgrade]).toEqual([426, "websocket"]);
    const window = await get(haproxy.clientPath, "/wsc/admission");
    expect([window.status, window.headers["access-control-allow-origin"]]).toEqual([200, "*"]);
    expect(JSON.parse(window.body)).toEqual({ admit: true, windowMs: 0 });
    expect((await get(haproxy.clientPath, "/edge-healthz")).status).toBe(200);
    expect((await get(haproxy.healthPath, "/edge-healthz")).status).toBe(200);
    expect(blue.arrivals).toEqual([]);
  });

  it("says 503 with a time to come back when nobody takes new ones, and still lets named ones in", async () => {
    const blue = await pod(BLUE_1);
    source.set([podFor(blue, "blue", { isEligible: false })], { generation: 1, takesNew: ["blue"] });
    await acknowledged(1, { [BLUE_1]: "drain" });
    const refused = await dialRefused(haproxy.clientPath, "/ws");
    expect([refused.status, refused.headers["retry-after"], refused.headers["access-control-allow-origin"]]).toEqual([
      503,
      "3",
      "*",
    ]);
    expect((await open(`/ws?pod=${BLUE_1}&ticket=any`)).pod).toBe(BLUE_1);
  });

  it("takes a gone pod out of use and deletes it when its last socket has ended", async () => {
    const [blue, other] = [await pod(BLUE_1), await pod(BLUE_2)];
    source.set([podFor(blue, "blue")], { generation: 1, takesNew: ["blue"] });
    await acknowledged(1, { [BLUE_1]: "ready" });
    const old = await open("/ws");
    source.set([podFor(other, "blue")], { generation: 1, takesNew: ["blue"] });
    await acknowledged(1, { [BLUE_2]: "ready" });
    expect(await old.echo("kept")).toBe("kept");
    expect((await proxy.read()).servers.map((server) => [server.key, server.state])).toContainEqual([BLUE_1, "maint"]);
    expect((await dialRefused(haproxy.clientPath, `/ws?pod=${BLUE_1}&ticket=any`)).status).toBe(421);
    await old.close();
    await until(async () => {
      source.set([podFor(other, "blue")], { generation: 1, takesNew: ["blue"] });
      return (await proxy.read()).servers.every((server) => server.key !== BLUE_1);
    }, "the server is deleted");
  });

  it("programs a restarted proxy at once and does not acknowledge in between", async () => {
    const blue = await pod(BLUE_1);
    source.set([podFor(blue, "blue")], { generation: 4, takesNew: ["blue"] });
    await acknowledged(4, { [BLUE_1]: "ready" });
    await haproxy.kill();
    await expect(agent.state()).rejects.toMatchObject({ code: "Unreachable" });
    expect(await agent.isReady()).toBe(false);
    await haproxy.start();
    // Nobody asks the agent: it saw by itself that the proxy went.
    await until(async () => {
      const result = await dial(haproxy.clientPath, "/ws");
      if ("pod" in result) await result.close();
      return "pod" in result && result.pod === BLUE_1;
    }, "clients get in again");
    await acknowledged(4, { [BLUE_1]: "ready" });
  });

  it("lets go of a proxy that was told to stop softly", async () => {
    source.set([], { generation: 1, takesNew: ["blue"] });
    await acknowledged(1, {});
    process.kill(haproxy.pid, "SIGUSR1");
    await until(async () => !(await agent.isReady()), "it is not ready");
    await haproxy.ended();
  });

  it("acknowledges nothing that the proxy has no more, and repairs it", async () => {
    const blue = await pod(BLUE_1);
    source.set([podFor(blue, "blue")], { generation: 4, takesNew: ["blue"] });
    await acknowledged(4, { [BLUE_1]: "ready" });
    const stranger = new HaproxyProxy({ path: haproxy.runtimePath });
    await until(async () => {
      // Again when the agent was quicker than the question.
      await stranger.run({ kind: "set-state", key: BLUE_1, state: "drain" });
      const { generation, servers } = await agent.state();
      return generation === 0 && servers[BLUE_1]?.state === "drain";
    }, "it sees the change").finally(() => stranger.close());
    await acknowledged(4, { [BLUE_1]: "ready" });
  });

  it("serves from the snapshot when the API server is away at the agent's start", async () => {
    const [blue, green] = [await pod(BLUE_1), await pod(GREEN)];
    source.set([podFor(blue, "blue"), podFor(green, "green")], { generation: 9, takesNew: ["green"] });
    await acknowledged(9, { [BLUE_1]: "drain", [GREEN]: "ready" });
    await agent.stop();
    await haproxy.kill();
    await haproxy.start();
    agent = await startAgent(new ListSource());
    const state = await acknowledged(9, { [BLUE_1]: "drain", [GREEN]: "ready" });
    expect(state.sourceAgeMs).toBeGreaterThan(0);
    expect((await open("/ws")).pod).toBe(GREEN);
  });

  it("neither follows nor acknowledges a switch to a revision of which it knows no ready pod", async () => {
    const [blue, green] = [await pod(BLUE_1), await pod(GREEN)];
    source.set([podFor(blue, "blue")], { generation: 1, takesNew: ["blue"] });
    await acknowledged(1, { [BLUE_1]: "ready" });
    source.set([podFor(blue, "blue"), podFor(green, "green", { isReady: false })], {
      generation: 2,
      takesNew: ["green"],
    });
    await acknowledged(1, { [BLUE_1]: "ready", [GREEN]: "drain" });
    expect(agent.held).toBe("nobody-is-ready-yet");
    source.set([podFor(blue, "blue"), podFor(green, "green")], { generation: 2, takesNew: ["green"] });
    await acknowledged(2, { [BLUE_1]: "drain", [GREEN]: "ready" });
  });

  it("sends an arrival elsewhere when the pod that it should reach refuses the connection", async () => {
    const [blue, dead] = [await pod(BLUE_1), await pod(BLUE_2)];
    source.set([podFor(blue, "blue"), podFor(dead, "blue")], { generation: 1, takesNew: ["blue"] });
    await acknowledged(1, { [BLUE_1]: "ready", [BLUE_2]: "ready" });
    await dead.close();
    for (let count = 0; count < 6; count++) expect((await open("/ws")).pod).toBe(BLUE_1);
    // A named one must not become a socket of another pod.
    const named = await dial(haproxy.clientPath, `/ws?pod=${BLUE_2}&ticket=any`);
    expect("status" in named && [421, 503].includes(named.status)).toBe(true);
  });

  it("stops listening and waits for the last socket when the pod ends", async () => {
    await agent.stop();
    await haproxy.dispose();
    // TCP, as in a pod: a unix socket cannot be told to listen no more. An address of one's own needs no free port.
    const target = { host: `127.${randomInt(1, 255)}.${randomInt(1, 255)}.${randomInt(1, 255)}`, port: 8_000 };
    haproxy = await startHaproxy(EDGE_UID, { bind: `${target.host}:${target.port}` });
    agent = await startAgent(source);
    const blue = await pod(BLUE_1);
    source.set([podFor(blue, "blue")], { generation: 1, takesNew: ["blue"] });
    await acknowledged(1, { [BLUE_1]: "ready" });
    const socket = await dialOpen(target, "/ws");
    const options = { proxy, clock: systemClock, log: createLogger("silent"), graceMs: 60_000, lagMs: 20, pollMs: 20 };
    const termination = new Termination(options);
    let answered = false;
    const hook = termination.onHook().finally(() => (answered = true));
    const signal = termination.onSignal();
    await until(async () => {
      const result = await dial(target, "/ws").catch(() => "refused" as const);
      if (typeof result === "object" && "pod" in result) await result.close();
      return result === "refused";
    }, "no client gets in");
    expect(await socket.echo("kept")).toBe("kept");
    expect(answered).toBe(false);
    await socket.close();
    expect(await hook).toEqual({ kind: "drained", connections: 0 });
    expect(await signal).toEqual({ kind: "drained", connections: 0 });
    // Had only the agent been restarted, the next one lets clients in again.
    await agent.stop();
    agent = await startAgent(source);
    await until(async () => {
      const result = await dial(target, "/ws").catch(() => undefined);
      if (result !== undefined && "pod" in result) await result.close();
      return result !== undefined;
    }, "clients get in again");
    // The agent's own connection must not keep a softly stopped proxy alive.
    await agent.stop();
    process.kill(haproxy.pid, "SIGUSR1");
    await haproxy.ended();
  });

  it("keeps the last places for named arrivals and refuses the rest at once", async () => {
    await agent.stop();
    await haproxy.dispose();
    haproxy = await startHaproxy(EDGE_UID, { maxConnections: 10 });
    agent = await startAgent(source);
    const blue = await pod(BLUE_1);
    source.set([podFor(blue, "blue")], { generation: 1, takesNew: ["blue"] });
    await acknowledged(1, { [BLUE_1]: "ready" });
    for (let count = 0; count < 9; count++) await open("/ws");
    expect(await dialRefused(haproxy.clientPath, "/ws")).toMatchObject({ status: 503, body: '{"code":"edge-full"}' });
    await until(async () => (await agent.state()).connections === 9, "the refused one is gone");
    await open(`/ws?pod=${BLUE_1}&ticket=any`);
    expect(await dialRefused(haproxy.clientPath, `/ws?pod=${BLUE_1}&ticket=any`)).toMatchObject({ status: 503 });
    expect((await get(haproxy.healthPath, "/edge-healthz")).status).toBe(200);
    expect((await get(haproxy.clientPath, "/wsc/admission")).status).toBe(200);
  });

  it("sends nobody to an address that another pod has got, and cuts nobody who is there", async () => {
    const [blue, taken] = [await pod(BLUE_1), await pod(BLUE_2)];
    source.set([podFor(blue, "blue"), podFor(taken, "blue", { key: GREEN })], { generation: 1, takesNew: ["blue"] });
    await acknowledged(1, { [BLUE_1]: "ready", [GREEN]: "ready" });
    const socket = await open(`/ws?pod=${BLUE_1}&ticket=any`);
    await until(() => haproxy.log().includes(`Server be_pods/${GREEN} is DOWN`), "the check found out", haproxy.log);
    for (let count = 0; count < 4; count++) expect((await open("/ws")).pod).toBe(BLUE_1);
    expect(taken.arrivals).toEqual([]);
    expect(await socket.echo("kept")).toBe("kept");
  });

  it("logs each arrival when it is answered, with pod and way, and never the ticket", async () => {
    const blue = await pod(BLUE_1);
    source.set([podFor(blue, "blue")], { generation: 1, takesNew: ["blue"] });
    await acknowledged(1, { [BLUE_1]: "ready" });
    const before = Date.now();
    await open(`/ws?pod=${BLUE_1}&ticket=hidden`);
    await open("/ws");
    const lines = () =>
      haproxy
        .log()
        .split("\n")
        .filter((line) => line.startsWith("{"));
    await until(() => lines().length >= 2, "two lines", haproxy.log);
    const logged = lines().map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(logged.map(({ status, pod: key, named }) => [status, key, named])).toEqual([
      [101, BLUE_1, "1"],
      [101, BLUE_1, "0"],
    ]);
    expect(Math.abs(Number(logged[0]?.["t"]) - before)).toBeLessThan(10_000);
    expect(haproxy.log()).not.toContain("hidden");
  });
});

function sorted(record: Record<string, string>): [string, string][] {
  return Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1));
}
