// What a pass may not do although everything invites it.
import { describe, expect, it } from "vitest";
import type { ClusterFacts } from "../facts.ts";
import { World } from "../testing/world.ts";
import { decide } from "./index.ts";

const SPEC = {
  replicas: 2,
  server: { image: "chat:1" },
  redis: { url: "redis://r:6379" },
  moves: { maxPerSecond: 10 },
};

/** A rollout with 40 clients, right before its first grant. */
function moving(): ClusterFacts {
  const world = new World(SPEC);
  world.run(10);
  world.fleet.arrive(40);
  world.setSpec({ server: { image: "chat:2" } });
  const isMoving = () => world.facts().sets.some((set) => set.step === "move");
  expect(world.run(40, isMoving)).toBe(true);
  const facts = world.facts();
  return { ...facts, memory: { ...facts.memory, tokens: 10, grants: [] } };
}

const granted = (facts: ClusterFacts): number =>
  decide(facts)
    .actions.flatMap((action) => (action.kind === "grants" ? action.grants : []))
    .reduce((sum, grant) => sum + grant.count, 0);

describe("grants", () => {
  it("come once in a window: the next one would replace a rest that is paid for", () => {
    const facts = moving();
    const sentAgo = (ms: number) => ({
      ...facts,
      memory: { ...facts.memory, grants: [{ source: "x", sentAtMs: facts.nowMs - ms, targets: [] }] },
    });
    expect(granted(facts)).toBe(10);
    expect(granted(sentAgo(300))).toBe(0);
    expect(granted(sentAgo(1_000))).toBe(10);
  });

  it.each<[string, (facts: ClusterFacts) => ClusterFacts]>([
    ["moves are paused", (facts) => ({ ...facts, spec: { ...facts.spec, moves: { paused: true } } })],
    ["there are no keys to sign with", (facts) => ({ ...facts, keysExist: false })],
    [
      "an edge has not acknowledged",
      (facts) => ({ ...facts, instructions: { generation: 99, takesNew: facts.instructions?.takesNew ?? [] } }),
    ],
    [
      "nobody can be asked",
      (facts) => ({
        ...facts,
        pods: facts.pods.map((pod) => ({ ...pod, state: { kind: "unknown", why: "" } as const })),
      }),
    ],
    [
      "every answer is old",
      (facts) => ({ ...facts, pods: facts.pods.map((pod) => ({ ...pod, state: { ...pod.state, ageMs: 60_000 } })) }),
    ],
  ])("do not come while %s, and no step is taken", (_why, change) => {
    const facts = change(moving());
    expect(granted(facts)).toBe(0);
    const roles = (of: ClusterFacts) => of.sets.map(({ role, step }) => `${role} ${step}`);
    const steps = decide(facts).status.sets?.map(({ role }) => role);
    expect(roles(facts).toSorted()).toEqual(["candidate move", "stable serve"]);
    expect(steps?.toSorted()).toEqual(["candidate", "stable"]);
  });
});

describe("the report at rest", () => {
  it("keeps a number of connections until it is off by a tenth", () => {
    const world = new World(SPEC);
    world.run(10);
    world.fleet.arrive(200);
    world.run(40);
    const reported = () => decide(world.facts()).status.connections;
    expect(reported()).toBe(200);
    world.fleet.arrive(15);
    expect(reported()).toBe(200);
    world.fleet.arrive(10);
    expect(reported()).toBe(225);
    world.fleet.hangUp();
    expect(reported()).toBe(0);
  });
});
