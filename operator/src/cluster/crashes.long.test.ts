// The operator dies after each single action of a rollout, once per telling; the end must always be the same, and nobody cut.
import { expect, it } from "vitest";
import { type Spec, World } from "./testing/world.ts";

const SPEC: Spec = {
  replicas: 2,
  server: { image: "chat:1" },
  redis: { url: "redis://store:6379" },
  edge: { replicas: 1 },
  rollout: { retainSeconds: 2 },
  moves: { maxPerSecond: 10 },
};

/** A rollout that is overtaken in mid-move, and then fewer pods: every kind of action is in it. */
function tell(crashAfter: number | undefined): World {
  const world = new World(SPEC);
  world.crashAfter = crashAfter;
  world.run(8);
  world.fleet.arrive(30);
  world.setSpec({ server: { image: "chat:2" } });
  world.run(60, () => (world.status.rollout?.moved ?? 0) > 0);
  world.setSpec({ server: { image: "chat:3" } });
  world.run(60, () => world.status.conditions?.some(({ reason }) => reason === "Complete") === true);
  world.setSpec({ replicas: 1 });
  world.run(25);
  return world;
}

function endOf(world: World): unknown {
  const facts = world.facts();
  return {
    connections: world.fleet.connections,
    sets: facts.sets
      .filter((set) => set.image !== "chat:2")
      .map(({ image, role, step, replicas, traffic }) => ({ image, role, step, replicas, traffic })),
    pods: facts.pods.map(({ ready, traffic, set }) => ({ ready, traffic, set })),
    takesNew: facts.instructions?.takesNew,
    conditions: world.status.conditions?.map(({ type, status, reason }) => `${type}=${status} ${reason}`),
  };
}

it("comes to the same end wherever the operator dies", () => {
  const whole = tell(undefined);
  expect(whole.faults).toEqual([]);
  expect(whole.fleet.connections).toBe(30);
  const end = endOf(whole);
  for (let action = 1; action <= whole.actions; action++) {
    const world = tell(action);
    expect({ action, faults: world.faults }).toEqual({ action, faults: [] });
    expect({ action, end: endOf(world) }).toEqual({ action, end });
  }
}, 120_000);

/** A rollout in slices and steps, with an approval in it: what it has done so far is on the ReplicaSets only. */
function tellSlices(crashAfter: number | undefined): World {
  const rollout = {
    retainSeconds: 2,
    surgePercent: 50,
    promotion: "Manual",
    steps: [{ newConnectionsPercent: 10, movePercent: 10, pauseSeconds: 1 }],
  };
  const world = new World({ ...SPEC, rollout, moves: { maxPerSecond: 20 } });
  world.run(8);
  world.fleet.arrive(30);
  world.crashAfter = crashAfter;
  world.setSpec({ server: { image: "chat:2" } });
  world.run(30, () => world.status.rollout?.waiting?.reason === "AwaitingApproval");
  const approvedAttempt = world.facts().sets.find((set) => set.role === "candidate")?.attempt ?? "";
  world.setSpec({ rollout: { ...rollout, approvedAttempt } });
  world.run(90, () => world.status.conditions?.some(({ reason }) => reason === "Complete") === true);
  world.run(10);
  return world;
}

it("comes to the same end of a rollout in slices wherever the operator dies", () => {
  const whole = tellSlices(undefined);
  expect(whole.faults).toEqual([]);
  const end = endOf(whole);
  expect(end).toMatchObject({ connections: 30, pods: [{ traffic: "active" }, { traffic: "active" }] });
  for (let action = 1; action <= whole.actions; action++) {
    const world = tellSlices(action);
    expect({ action, faults: world.faults }).toEqual({ action, faults: [] });
    expect({ action, end: endOf(world) }).toEqual({ action, end });
  }
}, 120_000);
