// Donors and targets where a mistake would lead clients nowhere or move them for nothing.
import type { EdgeState } from "@wscluster/protocol";
import { describe, expect, it } from "vitest";
import type { ClusterFacts } from "../facts.ts";
import { World } from "../testing/world.ts";
import { dependenciesOf } from "./dependencies.ts";
import { edgeBehind, edgeMissing, instructionsFor, isHandedOver } from "./edges.ts";
import { movementOf } from "./moving.ts";
import { type PlannedSet, takerOf } from "./sets.ts";
import { targetsOf } from "./targets.ts";

const all = (main: PlannedSet) => ({ main, share: undefined, leaving: new Set<string>() });

function fleet() {
  const world = new World({ replicas: 2, server: { image: "chat:1" }, redis: { url: "redis://r:6379" } });
  world.run(10);
  world.fleet.arrive(10);
  world.run(1);
  const facts = world.facts();
  const sets = facts.sets.map((set) => ({ ...set, live: set }));
  const taker = takerOf(sets);
  if (taker === undefined) throw new Error("nobody takes");
  return { facts, sets, taker };
}

const withEdge = (facts: ClusterFacts, index: number, change: (state: EdgeState) => EdgeState): ClusterFacts => ({
  ...facts,
  edgePods: facts.edgePods.map((pod, at) =>
    at === index && pod.state.kind === "known"
      ? { ...pod, state: { ...pod.state, value: change(pod.state.value) } }
      : pod,
  ),
});
const withPod = (facts: ClusterFacts, change: Partial<ClusterFacts["pods"][number]>): ClusterFacts => ({
  ...facts,
  pods: facts.pods.map((pod, at) => (at === 0 ? { ...pod, ...change } : pod)),
});
const forget = (facts: ClusterFacts, key: string) =>
  withEdge(facts, 1, (state) => {
    const { [key]: _gone, ...servers } = state.servers;
    return { ...state, servers };
  });

describe("targets", () => {
  it("are the ready, fresh, active pods that every live edge knows", () => {
    const { facts, taker } = fleet();
    const [first, second] = facts.pods;
    if (first === undefined || second === undefined) throw new Error("no pods");
    expect(targetsOf(facts, taker).map(({ key }) => key)).toEqual([first.key, second.key]);
    const only = [second.key];
    const keys = (of: ClusterFacts) => targetsOf(of, taker).map(({ key }) => key);
    expect(keys(forget(facts, first.key))).toEqual(only);
    expect(keys(withPod(facts, { ready: false }))).toEqual(only);
    expect(keys(withPod(facts, { deleting: true }))).toEqual(only);
    expect(keys(withPod(facts, { set: "draining" }))).toEqual(only);
    expect(keys(withPod(facts, { state: { kind: "unknown", why: "silent" } }))).toEqual(only);
    if (first.state.kind !== "known") throw new Error("unknown");
    expect(keys(withPod(facts, { state: { ...first.state, ageMs: 60_000 } }))).toEqual(only);
    const sealed = { ...first.state, value: { ...first.state.value, sealed: true } };
    expect(keys(withPod(facts, { state: sealed }))).toEqual(only);
  });

  it("are nobody while an edge is silent or none runs", () => {
    const { facts, taker } = fleet();
    const silent = facts.edgePods.map((pod) => ({ ...pod, state: { kind: "unknown", why: "silent" } as const }));
    expect(targetsOf({ ...facts, edgePods: silent }, taker)).toEqual([]);
    expect(targetsOf({ ...facts, edgePods: [] }, taker)).toEqual([]);
    const without = { ...facts, edgePods: [], spec: { ...facts.spec, edge: { enabled: false } } };
    expect(targetsOf(without, taker)).toHaveLength(2);
  });
});

describe("the edge's acknowledgement", () => {
  it("is missing while one live edge is behind, does not know a pod, or cannot be read", () => {
    const { facts, taker } = fleet();
    expect(edgeBehind(facts)).toBe(undefined);
    expect(isHandedOver(facts, all(taker))).toBe(true);
    const late = withEdge(facts, 0, (state) => ({ ...state, generation: 0 }));
    expect(edgeBehind(late)?.why).toMatch(/generation 0 of 1/);
    expect(isHandedOver(late, all(taker))).toBe(false);
    const key = facts.pods[0]?.key ?? "";
    expect(edgeMissing(forget(facts, key), [key])?.why).toMatch(/1 of 1 pods/);
    expect(edgeMissing({ ...facts, edgePods: [] }, [key])?.why).toMatch(/no edge pod/);
  });

  it("is asked of no edge that goes away", () => {
    const { facts } = fleet();
    const late = withEdge(facts, 0, (state) => ({ ...state, generation: 0 }));
    const going = { ...late, edgePods: late.edgePods.map((pod, at) => (at === 0 ? { ...pod, deleting: true } : pod)) };
    expect(edgeBehind(going)).toBe(undefined);
  });

  it("begins above every generation that an agent has seen, also when the instructions were deleted", () => {
    const { facts, taker } = fleet();
    const seen = withEdge(facts, 0, (state) => ({ ...state, generation: 41 }));
    expect(instructionsFor({ ...seen, instructions: undefined }, all(taker))).toEqual({
      generation: 42,
      takesNew: [taker.revision],
    });
  });
});

describe("movement", () => {
  it("is held, not forgotten, while the store is away", () => {
    const { facts, sets, taker } = fleet();
    const down = {
      ...withPod(facts, { set: "draining" }),
    };
    const movement = movementOf(down, sets, taker, true, dependenciesOf(down), []);
    expect(movement.donors.map(({ intent }) => intent)).toEqual([`scaleDown/${facts.pods[0]?.key}`]);
    expect(movement.held).toBe(undefined);
    const away = { state: "down", asked: 2, failing: 2, silent: 0 } as const;
    expect(movementOf(down, sets, taker, true, away, []).held?.reason).toBe("DependencyFreeze");
    expect(movementOf(down, sets, taker, false, dependenciesOf(down), []).held?.reason).toBe("NotHandedOver");
  });
});

describe("dependencies", () => {
  it.each([
    [3, 0, "ok"],
    [2, 0, "ok"],
    [1, 0, "down"],
    [2, 1, "ok"],
    [1, 2, "unknown"],
    [0, 3, "unknown"],
  ] as const)("with %i pods that reach the store and %i that are silent of 3: %s", (ok, silent, state) => {
    const { facts } = fleet();
    const [pod] = facts.pods;
    if (pod === undefined || pod.state.kind !== "known") throw new Error("no pod");
    const { value } = pod.state;
    const pods = [0, 1, 2].map((index) => {
      if (index >= 3 - silent) return { ...pod, state: { kind: "unknown", why: "silent" } as const };
      const broker = { ok: index < ok, lastOkAgoMs: 0 };
      return { ...pod, state: { kind: "known", value: { ...value, broker }, ageMs: 0 } as const };
    });
    expect(dependenciesOf({ pods }).state).toBe(state);
  });
});
