// How every story is held to: as it is written, in other orders, and quiet at its end. Test code only.
import { describe, expect, it } from "vitest";
import { goldenOf, textOf } from "./story.ts";
import { type Spec, World } from "./world.ts";

export type Story = (world: World) => void;

/** What must be the same however a story went. */
function endOf(world: World): unknown {
  const facts = world.facts();
  return {
    connections: world.fleet.connections,
    pods: facts.pods
      .filter((pod) => !pod.deleting)
      .map((pod) => ({ revision: pod.revision, ready: pod.ready, traffic: pod.traffic })),
    sets: facts.sets.map(({ image, role, step, replicas, traffic }) => ({ image, role, step, replicas, traffic })),
    takesNew: facts.instructions?.takesNew,
    share: facts.instructions?.share,
    edges: facts.edgeSets.map(({ image, replicas, traffic }) => ({ image, replicas, traffic })),
    budgets: facts.budgets.map(({ name }) => name).toSorted(),
    ready: world.status.conditions?.map(({ type, status, reason }) => `${type}=${status} ${reason}`),
  };
}

export function describeStories(spec: Spec, stories: Readonly<Record<string, Story>>): void {
  const tell = (name: string, seed: number): World => {
    const world = new World(spec, seed);
    stories[name]?.(world);
    // Longer than a status that is no news may wait for its write.
    world.run(35);
    return world;
  };

  describe.each(Object.keys(stories))("story %s", (name) => {
    // Told once for all tests of a story: the last of them lets it go on.
    let told: World | undefined;
    const original = (): World => (told ??= tell(name, 0));

    it("goes as it is written", () => {
      expect(original().faults).toEqual([]);
      expect(textOf(original().log)).toBe(goldenOf(name, original().log));
    });

    it.each([7, 1234])("comes to the same end in another order (seed %i)", (seed) => {
      const world = tell(name, seed);
      expect(world.faults).toEqual([]);
      expect(endOf(world)).toEqual(endOf(original()));
    });

    it("writes nothing once it is over", () => {
      const before = original().writes;
      original().run(120);
      expect(original().writes).toBe(before);
    });
  });
}
