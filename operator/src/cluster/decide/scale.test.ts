// What is said while it is not known yet who could leave.
import { describe, expect, it } from "vitest";
import type { ClusterFacts } from "../facts.ts";
import { World } from "../testing/world.ts";
import { dependenciesOf } from "./dependencies.ts";
import { planScale } from "./scale.ts";
import { takerOf } from "./sets.ts";

function fewerWanted(
  change: (pod: ClusterFacts["pods"][number], nowMs: number) => object,
  config: ClusterFacts["spec"]["config"] = {},
): ReturnType<typeof planScale> {
  const world = new World({ replicas: 3, server: { image: "chat:1" }, redis: { url: "redis://r:6379" } });
  world.run(30);
  world.fleet.arrive(30);
  world.run(1);
  const facts = world.facts();
  const pods = facts.pods.map((pod, at) => (at === 0 ? { ...pod, ...change(pod, facts.nowMs) } : pod));
  const sets = facts.sets.map((set) => ({ ...set, live: set }));
  const next = { ...facts, pods, spec: { ...facts.spec, config, replicas: 2 } };
  return planScale(next, sets, takerOf(sets), dependenciesOf(next));
}

const silent = { kind: "unknown", why: "not asked yet" } as const;

describe("a decrease", () => {
  it("tells the pod with the fewest connections first, and detaches it when it has confirmed its deadline", () => {
    const first = fewerWanted(() => ({}));
    expect(first).toMatchObject({ detach: [], tell: [{}], isWaiting: true, events: [] });
    // Not the one that would be chosen by name: who was told is the one that goes.
    const told = (deadlineInMs: number | null) =>
      fewerWanted(({ state }) =>
        state.kind === "known" ? { state: { ...state, value: { ...state.value, mode: "none", deadlineInMs } } } : {},
      );
    expect(told(null)).toMatchObject({ detach: [], tell: [{}] });
    expect(told(5_000)).toMatchObject({ detach: [], tell: [{}] });
    expect(told(955_000)).toMatchObject({ detach: [{}], tell: [], events: [{ reason: "ScalingDown" }] });
  });

  it("waits in silence for the first answer of a pod that has just become ready", () => {
    const scale = fewerWanted((_, nowMs) => ({ state: silent, readySinceMs: nowMs - 2_000 }));
    expect(scale).toMatchObject({ detach: [], held: undefined, isWaiting: true });
  });

  it("is held, and says so, when a pod has not answered for long", () => {
    const scale = fewerWanted((_, nowMs) => ({ state: silent, readySinceMs: nowMs - 60_000 }));
    expect(scale).toMatchObject({ detach: [], held: "the state of 1 pods is not known", isWaiting: false });
  });

  it("is held by a limit that the pods have not read yet", () => {
    expect(fewerWanted(() => ({}), { connections: { maxPerPod: 15 } })).toMatchObject({
      detach: [],
      held: "30 connections need more than 2 pods (room for 27)",
    });
  });
});
