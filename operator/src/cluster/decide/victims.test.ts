import type { PodState } from "@wscluster/protocol";
import { describe, expect, it } from "vitest";
import type { ServerPodFacts } from "../facts.ts";
import { Fleet } from "../testing/fleet.ts";
import { isRemovable, lawViolation, lowestReplicas, removableCount, victimRank } from "./victims.ts";

function stateWith(more: Partial<PodState>): ServerPodFacts["state"] {
  const fleet = new Fleet();
  fleet.startServer("u", {});
  const value = fleet.stateOf("u");
  if (value === undefined) throw new Error("no state");
  return { kind: "known", value: { ...value, ...more }, ageMs: 0 };
}

const pod = (name: string, more: Partial<ServerPodFacts> = {}): ServerPodFacts => ({
  name,
  uid: name,
  key: name,
  resourceVersion: "1",
  ip: "10.0.0.1",
  node: "n1",
  revision: "r",
  set: "attached",
  traffic: "active",
  ownerUid: "rs",
  phase: "Running",
  ready: true,
  readySinceMs: 0,
  deleting: false,
  end: undefined,
  leavesFor: "scaleDown",
  running: true,
  trouble: undefined,
  createdAtMs: 0,
  drainingSinceMs: undefined,
  state: stateWith({}),
  arrivals: undefined,
  ...more,
});
const serving = pod("serving", { state: stateWith({ connections: 5 }) });
const idle = pod("idle");
const sealed = pod("sealed", { ready: false, state: stateWith({ sealed: true }) });
const sealedBusy = pod("sealed-busy", { state: stateWith({ sealed: true, connections: 1 }) });
const sick = pod("sick", { ready: false, state: stateWith({ connections: 3 }) });
const silent = pod("silent", { ready: false, state: { kind: "unknown", why: "no answer" } });
const stale = pod("stale", {
  ready: false,
  state: { ...stateWith({ sealed: true }), ageMs: 60_000 } as ServerPodFacts["state"],
});
const unpullable = pod("unpullable", { phase: "Pending", ready: false, running: false });
const unscheduled = pod("unscheduled", { node: undefined, phase: "Pending", ready: false, running: false });

describe("what may be taken", () => {
  it.each([
    [serving, false],
    [idle, false],
    [sealed, true],
    [sealedBusy, false],
    [sick, false],
    [silent, false],
    [stale, false],
    [unpullable, true],
    [unscheduled, true],
  ])("$name", (one, removable) => {
    expect(isRemovable(one)).toBe(removable);
  });

  it("follows the controller's order", () => {
    const order = [serving, sick, unpullable, unscheduled].toSorted((a, b) => victimRank(a) - victimRank(b));
    expect(order.map(({ name }) => name)).toEqual(["unscheduled", "unpullable", "sick", "serving"]);
  });

  it.each<[string, ServerPodFacts[], number]>([
    ["nothing where all serve", [serving, idle], 0],
    ["the sealed one", [serving, sealed], 1],
    ["all that never started", [unscheduled, unpullable, serving], 2],
    // The controller might take either of the two that are not ready.
    ["nothing of a rank that is not all removable", [sealed, sick, serving], 0],
    ["what ranks before such a rank", [unscheduled, sealed, silent, serving], 1],
  ])("%s", (_name, pods, count) => {
    expect(removableCount(pods)).toBe(count);
  });

  it("waits for a controller that counts other pods than we see", () => {
    expect(lowestReplicas({ replicas: 2, countedPods: 3 }, [sealed, serving])).toBe(2);
    expect(lowestReplicas({ replicas: 2, countedPods: undefined }, [sealed, serving])).toBe(2);
    expect(lowestReplicas({ replicas: 2, countedPods: 2 }, [sealed, serving])).toBe(1);
  });
});

describe("the law", () => {
  it("lets nobody lower a set below pods that may hold connections", () => {
    const set = { name: "rs", replicas: 3 };
    const pods = [serving, idle, sealed];
    expect(lawViolation(set, pods, 3, new Set())).toBe(undefined);
    expect(lawViolation(set, pods, 2, new Set())).toBe(undefined);
    expect(lawViolation(set, pods, 1, new Set())).toMatch(/may not go from 3 to 1: 2 of its pods/);
    expect(lawViolation(set, pods, 1, new Set(["idle"]))).toBe(undefined);
    expect(lawViolation(set, pods, 0, new Set(["idle"]))).toMatch(/1 of its pods/);
  });
});
