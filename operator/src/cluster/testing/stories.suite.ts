// How every story is held to: as it is written, in other orders, with the operator's real shell over an unreliable API, and quiet
// at its end. Test code only.
import { describe, expect, it } from "vitest";
import { type Fault, FAULTS } from "../../kube/testing/faulty-api.ts";
import { LiveWorld, type Told } from "./live-world.ts";
import { goldenOf, textOf } from "./story.ts";
import { type Spec, World } from "./world.ts";

export type Story = (world: Told) => Promise<void>;

/** Of all requests to the API server and to pods a tenth goes wrong. More seeds: WSC_FAULT_SEEDS=3,4,5. */
const FAULT_RATE = 0.1;
const FAULT_SEEDS = (process.env["WSC_FAULT_SEEDS"] ?? "2").split(",").map(Number);

/** What must be the same however a story went. */
function endOf(world: Told): unknown {
  const facts = world.facts();
  return {
    // How long a story takes, and so how many come by themselves meanwhile, may differ.
    connections: world.fleet.connections - world.cameByThemselves,
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
  const faultsSeen = new Set<Fault>();
  const tell = async (name: string, seed: number): Promise<World> => {
    const world = new World(spec, seed);
    await stories[name]?.(world);
    // Longer than a status that is no news may wait for its write.
    world.run(35);
    return world;
  };

  describe.each(Object.keys(stories))("story %s", (name) => {
    // Told once for all tests of a story: the last of them lets it go on.
    let told: Promise<World> | undefined;
    const original = (): Promise<World> => (told ??= tell(name, 0));

    it("goes as it is written", async () => {
      const world = await original();
      expect(world.faults).toEqual([]);
      expect(textOf(world.log)).toBe(goldenOf(name, world.log));
    });

    it.each([7, 1234])("comes to the same end in another order (seed %i)", async (seed) => {
      const world = await tell(name, seed);
      expect(world.faults).toEqual([]);
      expect(endOf(world)).toEqual(endOf(await original()));
    });

    it.each(FAULT_SEEDS)(
      "comes to the same end with the real shell and an unreliable API (seed %i)",
      async (seed) => {
        const live = new LiveWorld(spec, { seed, faultRate: FAULT_RATE });
        try {
          await stories[name]?.(live.told);
          live.faultRate = 0;
          await live.run(70);
          expect(live.world.faults).toEqual([]);
          expect(live.errors).toEqual([]);
          expect(endOf(live.world)).toEqual(endOf(await original()));
          const before = live.world.writes;
          await live.run(30);
          expect(live.world.writes).toBe(before);
          for (const fault of live.faults.keys()) faultsSeen.add(fault);
        } finally {
          live.end();
        }
      },
      60_000,
    );

    it("writes nothing once it is over", async () => {
      const world = await original();
      const before = world.writes;
      world.run(120);
      expect(world.writes).toBe(before);
    });
  });

  it("has injected every kind of fault", () => {
    // Only where all stories were told: a single one need not meet them all.
    if (faultsSeen.size > 0) expect([...faultsSeen].toSorted()).toEqual([...FAULTS].toSorted());
  });
}
