// Rollouts that are held before they begin, and those that never are. Told like the other stories (stories.long.test.ts).
import { describe, expect, it } from "vitest";
import { goldenOf, textOf } from "./testing/story.ts";
import { type Spec, World } from "./testing/world.ts";

const SPEC: Spec = {
  replicas: 3,
  server: { image: "chat:1" },
  redis: { url: "redis://store:6379" },
  rollout: { retainSeconds: 5, progressDeadlineSeconds: 60 },
  moves: { maxPerSecond: 50 },
};

const isAt = (world: World, image: string) => () =>
  world.facts().sets.length > 0 &&
  world.facts().sets.every((set) => (set.image === image ? set.role === "stable" : set.step === "history"));
const progress = (world: World) => world.status.conditions?.find(({ type }) => type === "Progressing")?.reason;

function heldBySpace(seed = 0): World {
  const world = new World({ ...SPEC, config: { connections: { maxPerPod: 40 } } }, seed);
  world.say("apply: 3 pods of chat:1 that take 40 clients each; 150 come");
  world.run(10);
  world.fleet.arrive(150);
  world.run(2);
  world.say("the image becomes chat:2: its pods have room for 120");
  world.setSpec({ server: { image: "chat:2" } });
  world.run(120);
  expect(world.facts().sets).toHaveLength(1);
  expect(world.status.preflight).toMatchObject({ result: "Failed" });
  world.say("four pods are wanted: 160");
  world.setSpec({ replicas: 4 });
  expect(world.run(90, isAt(world, "chat:2"))).toBe(true);
  world.run(10);
  return world;
}

describe("a preflight", () => {
  it("holds a rollout whose pods have no room for what is to move, and lets it go when they have", () => {
    const world = heldBySpace();
    expect(world.faults).toEqual([]);
    expect(textOf(world.log)).toBe(goldenOf("preflight-held", world.log));
    expect(world.fleet.connections).toBe(150);
  });

  it.each([7, 1234])("comes to the same end in another order (seed %i)", (seed) => {
    const world = heldBySpace(seed);
    expect(world.faults).toEqual([]);
    expect(world.fleet.connections).toBe(150);
  });

  it("only warns where that is wanted", () => {
    const world = new World({ ...SPEC, config: { connections: { maxPerPod: 40 } }, rollout: { preflight: "Warn" } });
    world.run(10);
    world.fleet.arrive(150);
    world.setSpec({ server: { image: "chat:2" } });
    world.run(30);
    expect(world.facts().sets.some((set) => set.image === "chat:2" && set.step !== "provision")).toBe(true);
    expect(world.log.some((line) => line.includes("event PreflightWarned"))).toBe(true);
  });

  it("writes nothing while it holds", () => {
    const world = new World({ ...SPEC, config: { connections: { maxPerPod: 40 } } });
    world.run(10);
    world.fleet.arrive(150);
    world.setSpec({ server: { image: "chat:2" } });
    world.run(20);
    expect(progress(world)).toBe("PreflightFailed");
    const before = world.writes;
    world.run(120);
    expect(world.writes).toBe(before);
  });

  it("never holds the rollout that repairs a fleet of which no pod serves", () => {
    // Each of these settings would hold it, were there anybody to protect.
    const config = { connections: { maxPerPod: 1 } };
    const world = new World({ ...SPEC, config, server: { image: "chat:bad", terminationGracePeriodSeconds: 10 } });
    world.run(30);
    world.setSpec({ server: { image: "chat:2", terminationGracePeriodSeconds: 10 } });
    expect(world.run(90, isAt(world, "chat:2"))).toBe(true);
  });
});
