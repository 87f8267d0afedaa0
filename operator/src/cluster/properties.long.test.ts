// Whatever users and faults do in whatever order: what must never happen does not, and it always comes to rest.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decide } from "./decide/index.ts";
import { SET_STEPS, TRIAL_PHASES } from "./facts.ts";
import { type Spec, World } from "./testing/world.ts";

const ROLLOUT = { retainSeconds: 2, progressDeadlineSeconds: 40 };
const SPEC: Spec = {
  replicas: 2,
  server: { image: "chat:1" },
  redis: { url: "redis://store:6379" },
  edge: { replicas: 1 },
  rollout: ROLLOUT,
  disruption: { deadlineSeconds: 10 },
  moves: { maxPerSecond: 10 },
};

const STEPS = [
  { newConnectionsPercent: 20, movePercent: 10, pauseSeconds: 2 },
  { newConnectionsPercent: 50, movePercent: 60 },
];

type Happening =
  | { readonly what: "image"; readonly to: number }
  | { readonly what: "bad image" }
  | { readonly what: "replicas"; readonly to: number }
  | { readonly what: "abort" }
  | { readonly what: "approve" }
  | { readonly what: "pause rollout"; readonly seconds: number }
  | { readonly what: "gate fails"; readonly seconds: number }
  | { readonly what: "cordon"; readonly node: number; readonly seconds: number }
  | { readonly what: "remove node"; readonly seconds: number }
  | { readonly what: "delete pod"; readonly at: number }
  | { readonly what: "restart" }
  | { readonly what: "wipe" }
  | { readonly what: "store"; readonly seconds: number }
  | { readonly what: "pause moves"; readonly seconds: number };

const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({ what: fc.constant("image" as const), to: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ what: fc.constant("bad image" as const) }),
  fc.record({ what: fc.constant("replicas" as const), to: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ what: fc.constant("abort" as const) }),
  fc.record({ what: fc.constant("approve" as const) }),
  fc.record({ what: fc.constant("pause rollout" as const), seconds: fc.integer({ min: 1, max: 50 }) }),
  fc.record({ what: fc.constant("gate fails" as const), seconds: fc.integer({ min: 1, max: 8 }) }),
  fc.record({
    what: fc.constant("cordon" as const),
    node: fc.integer({ min: 1, max: 2 }),
    seconds: fc.integer({ min: 1, max: 20 }),
  }),
  fc.record({ what: fc.constant("remove node" as const), seconds: fc.integer({ min: 1, max: 20 }) }),
  fc.record({ what: fc.constant("delete pod" as const), at: fc.nat(5) }),
  fc.record({ what: fc.constant("restart" as const) }),
  fc.record({ what: fc.constant("wipe" as const) }),
  fc.record({ what: fc.constant("store" as const), seconds: fc.integer({ min: 1, max: 10 }) }),
  fc.record({ what: fc.constant("pause moves" as const), seconds: fc.integer({ min: 1, max: 5 }) }),
);

/** All at once, in steps, in slices, in both, and with somebody to ask. */
const manner: fc.Arbitrary<Spec> = fc.constantFrom<Spec[]>(
  {},
  {},
  { steps: STEPS },
  { surgePercent: 50 },
  { steps: STEPS, surgePercent: 50, onFailure: "Pause" },
  { steps: STEPS, promotion: "Manual", previewReplicas: 1 },
);

const script = fc.array(fc.tuple(happening, fc.integer({ min: 0, max: 14 })), { minLength: 1, maxLength: 6 });

function change(world: World, rollout: Spec): void {
  world.setSpec({ rollout: { ...world.facts().spec.rollout, ...rollout } });
}

function happen(world: World, event: Happening, run: (seconds: number) => void): void {
  switch (event.what) {
    case "image":
      return world.setSpec({ server: { image: `chat:${event.to}` } });
    case "bad image":
      return world.setSpec({ server: { image: "chat:bad" } });
    case "replicas":
      return world.setSpec({ replicas: event.to });
    case "abort": {
      const attempt = world.facts().sets.find((set) => set.role === "candidate")?.attempt;
      if (attempt !== undefined) change(world, { abortedAttempt: attempt });
      return;
    }
    case "approve": {
      const attempt = world.facts().sets.find((set) => set.role === "candidate")?.attempt;
      if (attempt !== undefined) change(world, { approvedAttempt: attempt });
      return;
    }
    case "pause rollout":
      change(world, { paused: true });
      run(event.seconds);
      return change(world, { paused: false });
    case "gate fails":
      for (const point of ["verify", "step 1", "step 2", "step 3"]) {
        world.gates[point] = { analysis: { kind: "fail", why: "too many failed" } };
      }
      run(event.seconds);
      world.gates = {};
      return;
    case "cordon":
      world.setNode(`node-${event.node}`, { unschedulable: true });
      run(event.seconds);
      return world.setNode(`node-${event.node}`, {});
    case "remove node":
      world.isEmergency = true;
      world.setNode("node-2", { taints: [{ key: "karpenter.sh/disrupted", effect: "NoSchedule" }] });
      run(event.seconds);
      return world.setNode("node-2", {});
    case "delete pod": {
      const { pods } = world.facts();
      return world.deletePod(pods[event.at % Math.max(1, pods.length)]?.name ?? "");
    }
    case "restart":
      return world.restartOperator();
    case "wipe":
      return world.wipeStatus();
    case "store":
      world.fleet.storeIsUp = false;
      run(event.seconds);
      world.fleet.storeIsUp = true;
      return;
    case "pause moves":
      world.setSpec({ moves: { maxPerSecond: 10, paused: true } });
      run(event.seconds);
      return world.setSpec({ moves: { maxPerSecond: 10 } });
  }
}

/** Follows each attempt: a candidate never steps back. */
class Phases {
  readonly #furthest = new Map<string, number>();
  readonly backwards: string[] = [];

  note(world: World): void {
    for (const set of world.facts().sets) {
      if (set.role !== "candidate") continue;
      const { index = 0, phase = "grow" } = set.step === "trial" ? { ...set.trial } : {};
      const now = SET_STEPS.indexOf(set.step) * 1_000 + index * 10 + TRIAL_PHASES.indexOf(phase);
      const before = this.#furthest.get(set.attempt) ?? 0;
      if (now < before) this.backwards.push(`${set.attempt}: ${before} to ${now}`);
      this.#furthest.set(set.attempt, now);
    }
  }
}

describe("a fleet under any script", () => {
  it("cuts nobody, keeps the law and the budget, never steps back, and comes to rest", () => {
    fc.assert(
      fc.property(script, manner, fc.integer({ min: 0, max: 99 }), (events, rollout, seed) => {
        const world = new World({ ...SPEC, rollout: { ...ROLLOUT, ...rollout } }, seed);
        const phases = new Phases();
        const run = (seconds: number): void => {
          for (let second = 0; second < seconds; second++) {
            world.run(1);
            phases.note(world);
          }
        };
        world.addNode("node-2");
        run(8);
        world.fleet.arrive(36);
        world.fleet.arrive(3, "plain");
        world.fleet.arrive(1, "stubborn");
        for (const [event, seconds] of events) {
          happen(world, event, run);
          run(seconds);
        }
        // Whoever was to be asked has been: an attempt may have begun after the last answer.
        change(world, { promotion: "Automatic", paused: false, onFailure: "Abort" });
        // Longer than any deadline and any retained set.
        run(240);
        expect(world.faults).toEqual([]);
        expect(phases.backwards).toEqual([]);
        expect(world.fleet.connections).toBe(40);
        const facts = world.facts();
        const stable = facts.sets.filter((set) => set.role === "stable");
        expect(stable).toHaveLength(1);
        expect(facts.sets.every((set) => set.role === "stable" || set.step === "history")).toBe(true);
        expect(facts.pods.every((pod) => pod.revision === stable[0]?.revision && pod.ready)).toBe(true);
        expect(facts.pods).toHaveLength(facts.spec.replicas);
        // At rest a decision contains nothing that is not there already.
        const before = world.writes;
        world.run(40);
        expect(world.writes - before).toBe(0);
      }),
      { numRuns: 40, seed: 20_300_101 },
    );
  }, 120_000);

  it("decides the same whatever the order of what it sees", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 1_000 }), (seconds, seed) => {
        const world = new World(SPEC);
        world.run(6);
        world.fleet.arrive(20);
        world.setSpec({ server: { image: "chat:2" } });
        world.run(seconds);
        const facts = world.facts();
        const turn = <T>(items: readonly T[]): T[] => {
          const cut = items.length === 0 ? 0 : seed % items.length;
          return [...items.slice(cut), ...items.slice(0, cut)].toReversed();
        };
        const turned = {
          ...facts,
          sets: turn(facts.sets),
          pods: turn(facts.pods),
          edgePods: turn(facts.edgePods),
          edgeSets: turn(facts.edgeSets),
          budgets: turn(facts.budgets),
        };
        const sorted = (plan: ReturnType<typeof decide>) =>
          plan.actions.map((action) => JSON.stringify(action)).toSorted();
        expect(sorted(decide(turned))).toEqual(sorted(decide(facts)));
      }),
      { numRuns: 25, seed: 7 },
    );
  });
});
