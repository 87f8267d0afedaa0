import type { EdgeAdmission } from "@wscluster/protocol";
import { describe, expect, it } from "vitest";
import type { ClusterFacts } from "../facts.ts";
import { World } from "../testing/world.ts";
import { decide } from "./index.ts";
import { admitPerEdge, stormOf } from "./storm.ts";

function moving(): ClusterFacts {
  const world = new World({
    replicas: 2,
    server: { image: "chat:1" },
    redis: { url: "redis://r" },
    edge: { newConnectionsPerSecond: 101 },
    moves: { maxPerSecond: 5 },
  });
  world.run(10);
  world.fleet.arrive(40);
  world.setSpec({ server: { image: "chat:2" } });
  expect(world.run(40, () => world.facts().sets.some((set) => set.step === "move"))).toBe(true);
  const facts = world.facts();
  return { ...facts, memory: { ...facts.memory, tokens: 5, grants: [] } };
}

const withAdmission = (facts: ClusterFacts, admission: EdgeAdmission, ageMs = 0): ClusterFacts["edgePods"] =>
  facts.edgePods.map((pod) =>
    pod.state.kind === "known"
      ? { ...pod, state: { kind: "known", ageMs, value: { ...pod.state.value, admission } } }
      : pod,
  );
const REFUSING = { limitPerSecond: 50, admittedPerSecond: 50, refusedPerSecond: 200, windowMs: 9_000 };

describe("the limit", () => {
  it("is shared out over the edges in use, and reaches them beside the instructions", () => {
    const facts = moving();
    expect(admitPerEdge(facts)).toBe(50);
    expect(admitPerEdge({ ...facts, edgePods: facts.edgePods.slice(1) })).toBe(101);
    expect(admitPerEdge({ ...facts, edgePods: [] })).toBe(101);
    const { newConnectionsPerSecond: _none, ...edge } = facts.spec.edge ?? {};
    expect(admitPerEdge({ ...facts, spec: { ...facts.spec, edge } })).toBe(undefined);
    const maps = decide(facts).actions.flatMap((action) =>
      action.kind === "apply" && action.manifest.metadata.name === "chat-edge" ? [action.manifest["data"]] : [],
    );
    expect(maps).toContainEqual(expect.objectContaining({ "admission.json": '{"perSecond":50}' }));
  });
});

describe("a storm", () => {
  it("is what the edges refuse, as long as that is known", () => {
    const facts = moving();
    expect(stormOf(facts.edgePods)).toBe(undefined);
    expect(stormOf(withAdmission(facts, REFUSING))).toEqual({ arrivalsPerSecond: 500, admittedPerSecond: 100 });
    expect(stormOf(withAdmission(facts, { ...REFUSING, refusedPerSecond: 0 }))).toBe(undefined);
    expect(stormOf(withAdmission(facts, REFUSING, 60_000))).toBe(undefined);
  });

  it("lets the moves of a rollout wait, with a condition that says so", () => {
    const facts = moving();
    const grants = (of: ClusterFacts) => decide(of).actions.filter(({ kind }) => kind === "grants").length;
    expect(grants(facts)).toBe(1);
    const stormy = { ...facts, storm: { arrivalsPerSecond: 500, admittedPerSecond: 100 } };
    expect(grants(stormy)).toBe(0);
    const condition = decide(stormy).status.conditions?.find(({ type }) => type === "MovesAllowed");
    expect(condition).toMatchObject({ status: "False", reason: "StormBrake" });
    expect(decide(stormy).progress?.held).toBe(true);
  });
});
