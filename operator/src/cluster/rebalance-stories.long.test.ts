// Uneven load, told second by second: who proposes, approves and stops, and who scales. Told like the other stories.
import { podKey } from "@wscluster/protocol";
import { describe, expect, it } from "vitest";
import { goldenOf, textOf } from "./testing/story.ts";
import { record } from "./testing/workloads.ts";
import { type Spec, World } from "./testing/world.ts";

const SPEC: Spec = {
  replicas: 4,
  server: { image: "chat:1" },
  redis: { url: "redis://store:6379" },
  rollout: { retainSeconds: 5, progressDeadlineSeconds: 60 },
  moves: { maxPerSecond: 25 },
};
const rebalance = (mode: string, more: Spec = {}): Spec => ({
  rebalance: { mode, minPodAgeSeconds: 10, cooldownSeconds: 60, maxMovePercent: 50, ...more },
});

function begin(spec: Spec, seed = 0): World {
  const world = new World({ ...SPEC, ...spec }, seed);
  world.say("apply: 4 pods; 400 clients connect");
  world.run(15);
  world.fleet.arrive(400);
  world.run(30);
  return world;
}

function makeHot(world: World, clients = 200): void {
  const first = hottestUid(world);
  world.say(`${clients} more end up on one pod`);
  world.fleet.arriveAt(first, clients);
}

const hottestUid = (world: World): string => [...world.fleet.servers.keys()].toSorted()[0] ?? "";
const balanced = (world: World) => world.status.conditions?.find(({ type }) => type === "Balanced");
const isBalanced = (reason: string, world: World) => () => balanced(world)?.reason === reason;
const phaseOf = (world: World) => record(world.rebalances[0]?.["status"])["phase"];
const isPhase = (phase: string, world: World) => () => phaseOf(world) === phase;
const held = (world: World): number[] => [...world.fleet.servers.values()].map((server) => server.connections);
const imbalance = (world: World): number => {
  const mean = held(world).reduce((sum, one) => sum + one, 0) / held(world).length;
  return (100 * Math.max(...held(world).map((one) => Math.abs(one - mean)))) / mean;
};

function proposed(seed = 0): World {
  const world = begin(rebalance("Propose"), seed);
  makeHot(world);
  expect(world.run(400, isPhase("Proposed", world))).toBe(true);
  const [proposal] = world.rebalances;
  world.run(20);
  expect(balanced(world)).toMatchObject({ status: "False", reason: "RebalanceProposed" });
  expect(balanced(world)?.message).toContain(`wsc rebalance approve ${proposal?.metadata.name}`);
  expect(world.fleet.granted).toEqual([]);
  world.say("somebody approves it");
  world.setRebalance(proposal?.metadata.name ?? "", { approved: true });
  expect(world.run(60, isPhase("Completed", world))).toBe(true);
  world.run(150);
  return world;
}

describe("a proposal", () => {
  it("is made, explained, approved, moved and compared with what came out", () => {
    const world = proposed();
    expect(world.faults).toEqual([]);
    expect(textOf(world.log)).toBe(goldenOf("rebalance-proposed", world.log));
    expect(imbalance(world)).toBeLessThan(10);
    const status = record(world.rebalances[0]?.["status"]);
    const [predicted, after] = [record(status["predicted"]), record(status["after"])];
    expect(Math.abs(Number(predicted["imbalancePercent"]) - Number(after["imbalancePercent"]))).toBeLessThanOrEqual(5);
    expect(world.fleet.connections).toBe(600);
    expect(world.rebalances).toHaveLength(1);
  });

  it.each([7, 1234])("comes to the same end in another order (seed %i)", (seed) => {
    const world = proposed(seed);
    expect(world.faults).toEqual([]);
    expect(imbalance(world)).toBeLessThan(10);
  });

  it("moves nobody once it is stopped, and is not made again at once", () => {
    const world = begin(rebalance("Propose"));
    makeHot(world);
    expect(world.run(400, isPhase("Proposed", world))).toBe(true);
    const name = world.rebalances[0]?.metadata.name ?? "";
    world.setRebalance(name, { approved: true, stopped: true });
    expect(world.run(10, isPhase("Stopped", world))).toBe(true);
    world.run(55);
    expect(world.fleet.granted).toEqual([]);
    expect(world.rebalances).toHaveLength(1);
  });

  it("expires", () => {
    const world = begin(rebalance("Propose"));
    makeHot(world);
    expect(world.run(400, isPhase("Proposed", world))).toBe(true);
    world.setRebalance(world.rebalances[0]?.metadata.name ?? "", { expiresAfterSeconds: 60 });
    expect(world.run(70, isPhase("Expired", world))).toBe(true);
    expect(world.fleet.granted).toEqual([]);
  });

  it("goes on where it was after the operator died, and asks nobody twice", () => {
    const world = begin(rebalance("Propose"));
    makeHot(world);
    expect(world.run(400, isPhase("Proposed", world))).toBe(true);
    world.setRebalance(world.rebalances[0]?.metadata.name ?? "", { approved: true });
    expect(world.run(20, () => world.fleet.granted.length >= 2)).toBe(true);
    world.restartOperator();
    expect(world.run(60, isPhase("Completed", world))).toBe(true);
    const granted = world.fleet.granted.reduce((sum, { count }) => sum + count, 0);
    const planned = record(world.rebalances[0]?.["status"])["reconnects"];
    expect(granted).toBeLessThanOrEqual(Number(planned));
    expect(world.faults).toEqual([]);
  });

  it("waits while a rollout runs, and while moves are paused", () => {
    const world = begin(rebalance("Propose"));
    makeHot(world);
    expect(world.run(400, isPhase("Proposed", world))).toBe(true);
    world.setSpec({ moves: { maxPerSecond: 25, paused: true } });
    world.setRebalance(world.rebalances[0]?.metadata.name ?? "", { approved: true });
    world.run(60);
    expect(world.fleet.granted).toEqual([]);
    expect(phaseOf(world)).toBe("Proposed");
    expect(balanced(world)?.message).toContain("`moves.paused` is set");
    world.setSpec({ moves: { maxPerSecond: 25 } });
    expect(world.run(60, isPhase("Completed", world))).toBe(true);
  });
});

describe("a request of a user", () => {
  it("is planned and run where nothing is measured otherwise", () => {
    const world = begin({});
    makeHot(world);
    world.setRebalance("now", { approved: true });
    expect(world.run(200, isPhase("Completed", world))).toBe(true);
    world.run(120);
    // A fifth of all may move at a time.
    expect(imbalance(world)).toBeLessThanOrEqual(20);
    expect(world.faults).toEqual([]);
    expect(world.rebalances[0]?.metadata.ownerReferences).toMatchObject([{ kind: "WebSocketCluster", name: "chat" }]);
  });
});

function automatic(seed = 0): World {
  const world = begin(rebalance("Automatic"), seed);
  makeHot(world);
  expect(world.run(400, isBalanced("Rebalancing", world))).toBe(true);
  expect(world.run(120, () => imbalance(world) < 10)).toBe(true);
  world.run(120);
  world.say("two more pods: they are filled instead of waiting for churn");
  world.setSpec({ replicas: 6 });
  expect(world.run(400, () => held(world).length === 6 && imbalance(world) < 10)).toBe(true);
  world.run(150);
  return world;
}

describe("the automatic mode", () => {
  it("moves by itself, makes no objects, and fills pods that came by a scale-up", () => {
    const world = automatic();
    expect(world.faults).toEqual([]);
    expect(textOf(world.log)).toBe(goldenOf("rebalance-automatic", world.log));
    expect(world.rebalances).toEqual([]);
    expect(balanced(world)).toMatchObject({ status: "True", reason: "Even" });
  });

  it("starts nothing on pods that cannot be scraped", () => {
    const world = begin(rebalance("Automatic"));
    for (const uid of [...world.fleet.servers.keys()].slice(0, 2)) world.silentPods.add(uid);
    makeHot(world);
    world.run(300);
    expect(world.fleet.granted).toEqual([]);
    expect(balanced(world)).toMatchObject({ status: "Unknown", reason: "LoadUnknown" });
  });

  it("writes nothing while all is even", () => {
    const world = begin(rebalance("Automatic"));
    world.run(150);
    const { writes } = world;
    world.run(600);
    expect(world.writes).toBe(writes);
  });

  it("names to each edge only pods that it knows", () => {
    const world = begin(rebalance("Automatic"));
    makeHot(world);
    world.run(300);
    expect(world.fleet.unknownTargets).toBe(0);
    expect(world.fleet.servers.size).toBe(4);
    expect([...world.fleet.servers.values()].every(({ uid, key }) => podKey(uid) === key)).toBe(true);
  });
});

describe("the operator's own autoscaler", () => {
  const autoscaling = { minReplicas: 2, maxReplicas: 8, connectionsPerReplica: 100, scaleDownStabilizationSeconds: 60 };
  const pods = (world: World): number => world.facts().pods.filter((pod) => !pod.deleting).length;

  it("goes up at once, down by drains after its time, and keeps `replicas` of the user as it is", () => {
    const world = new World({ ...SPEC, autoscaling });
    world.say("apply: 4 pods, 2 to 8 by 100 connections each; 400 clients connect");
    world.run(15);
    world.fleet.arrive(400);
    world.run(90);
    expect(pods(world)).toBe(4);
    world.say("300 more come");
    world.fleet.arrive(300);
    expect(world.run(15, () => pods(world) === 7)).toBe(true);
    world.say("the operator is killed and comes back: it does not fall back to `replicas`");
    world.restartOperator();
    world.run(30);
    expect(pods(world)).toBe(7);
    world.say("500 leave");
    for (const server of world.fleet.servers.values()) leave(server, Math.max(0, server.connections - 29));
    world.run(30);
    expect(pods(world)).toBe(7);
    expect(world.run(400, () => pods(world) === 2)).toBe(true);
    expect(record(world.cluster["spec"])["replicas"]).toBe(4);
    expect(world.faults).toEqual([]);
    expect(textOf(world.log)).toBe(goldenOf("autoscaling", world.log));
  });
});

function leave(server: { connections: number; via: Map<string, number> }, count: number): void {
  let left = count;
  for (const [edge, held] of server.via) {
    const going = Math.min(left, held);
    server.via.set(edge, held - going);
    left -= going;
  }
  server.connections -= count - left;
}
