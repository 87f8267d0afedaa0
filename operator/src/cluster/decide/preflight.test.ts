import type { PodState } from "@wscluster/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ClusterFacts, ServerPodFacts } from "../facts.ts";
import { World } from "../testing/world.ts";
import { preflightOf, preflightStatusFor, preflightVerdict, steadyPreflight } from "./preflight.ts";
import { nodesVerdict, preflightEvents, reachableVerdict } from "./preconditions.ts";

/** A candidate that is ready to take over 30 clients of two pods. */
function scene(): ClusterFacts {
  const world = new World({ replicas: 2, server: { image: "chat:1" }, redis: { url: "redis://r:6379" } });
  world.run(10);
  world.fleet.arrive(25);
  world.fleet.arrive(5, "plain");
  world.setSpec({ server: { image: "chat:2" } });
  world.run(60, () => world.facts().sets.some((set) => set.step === "verify"));
  return world.facts();
}

const FACTS = scene();
const isCandidate = (pod: ServerPodFacts): boolean => pod.revision === FACTS.wanted.servers;

function withStates(isMeant: (pod: ServerPodFacts) => boolean, more: Partial<PodState>): ClusterFacts {
  return {
    ...FACTS,
    pods: FACTS.pods.map((pod) =>
      isMeant(pod) && pod.state.kind === "known"
        ? { ...pod, state: { ...pod.state, value: { ...pod.state.value, ...more } } }
        : pod,
    ),
  };
}

const withServer = (server: object): ClusterFacts => ({
  ...FACTS,
  spec: { ...FACTS.spec, server: { ...FACTS.spec.server, ...server } },
});
const silenced = (isMeant: (pod: ServerPodFacts) => boolean): ClusterFacts => ({
  ...FACTS,
  pods: FACTS.pods.map((pod) => (isMeant(pod) ? { ...pod, state: { kind: "unknown", why: "it is silent" } } : pod)),
});
const crowded = (connections: number): ClusterFacts => {
  const sessions = { migrate: connections, resume: 0, plain: 0 };
  return withStates((pod) => !isCandidate(pod), { connections, sessions });
};
const edges = (connections: number): ClusterFacts => ({
  ...FACTS,
  spec: { ...FACTS.spec, edge: { ...FACTS.spec.edge, maxConnections: 100 } },
  edgePods: FACTS.edgePods.map((pod) =>
    pod.state.kind === "known" ? { ...pod, state: { ...pod.state, value: { ...pod.state.value, connections } } } : pod,
  ),
});

const told = (facts: ClusterFacts, quota?: string) => {
  const preflight = preflightOf(facts, quota);
  const notOk = preflight.checks.filter((check) => check.result !== "ok");
  return { found: notOk.map(({ name, result }) => `${name} ${result}`), verdict: preflightVerdict(facts, preflight) };
};

describe("preflight", () => {
  it("says the numbers, and what clients of each capability will see", () => {
    const preflight = preflightOf(FACTS);
    expect(preflight.clients).toBe(
      "30 clients: 25 move without a break, 0 resume after a reconnect, 5 plain clients will see a reconnect",
    );
    expect(preflight.checks.map(({ name, result, number, needed }) => [name, result, number, needed])).toEqual([
      ["donors", "ok", 2, 2],
      ["capacity", "ok", 2_000, 30],
      ["grace", "ok", 295, 1],
      ["store", "ok", 4, 4],
      ["duration", "ok", 1, undefined],
      ["edge", "ok", 9_000, 30],
      ["formats", "ok", undefined, undefined],
    ]);
    expect(preflightVerdict(FACTS, preflight)).toEqual({ kind: "pass" });
  });

  it.each<[string, ClusterFacts, string, RegExp]>([
    [
      "no room",
      withStates(isCandidate, { capacity: 14 }),
      "capacity fail",
      /^30 connections are to move and 2 pods have room for 28$/,
    ],
    [
      "a grace that is too short",
      withServer({ terminationGracePeriodSeconds: 5 }),
      "grace fail",
      /^a pod with 15 connections needs 1 s to empty itself and has 0 s \(`server.terminationGracePeriodSeconds` 5\)$/,
    ],
    [
      "formats that are two versions apart",
      withStates(isCandidate, { speaks: { session: 1, ticket: 3, protocol: 1 } }),
      "formats fail",
      /^the old set speaks ticket format 1, the candidate 3: they do not read each other$/,
    ],
    [
      "a store that is down",
      withStates(() => true, { broker: { ok: false, lastOkAgoMs: 9_000 } }),
      "store fail",
      /^the store does not answer to 4 of 4 pods$/,
    ],
    ["full edges", edges(101), "edge fail", /^202 connections, and 2 edge pods hold 100 each$/],
  ])("is held by what is certain: %s", (_name, facts, found, why) => {
    expect(told(facts)).toEqual({ found: [found], verdict: { kind: "fail", why: expect.stringMatching(why) } });
    const warned = { ...facts, spec: { ...facts.spec, rollout: { preflight: "Warn" as const } } };
    expect(told(warned)).toEqual({ found: [found], verdict: { kind: "pass" } });
  });

  it.each<[string, ClusterFacts, string]>([
    ["nearly full pods", withStates(isCandidate, { capacity: 16 }), "capacity warn"],
    ["a drain beyond the first half", withServer({ terminationGracePeriodSeconds: 6 }), "grace warn"],
    [
      "a store that evicts",
      withStates(() => true, { broker: { ok: true, lastOkAgoMs: 0, store: { evictionPolicy: "allkeys-lru" } } }),
      "store warn",
    ],
    [
      "a store whose primary may be alone",
      withStates(() => true, { broker: { ok: true, lastOkAgoMs: 0, store: { replicas: 2, minReplicasToWrite: 0 } } }),
      "store warn",
    ],
    ["edges of which none may fail", edges(60), "edge warn"],
    [
      "windows that are too short",
      {
        ...crowded(450),
        spec: {
          ...FACTS.spec,
          moves: { maxPerSecond: 1, windows: [{ start: "02:00", durationMinutes: 14 }] },
        },
      },
      "duration warn",
    ],
    ["moves that are paused", { ...FACTS, spec: { ...FACTS.spec, moves: { paused: true } } }, "duration warn"],
  ])("only warns of %s", (_name, facts, found) => {
    expect(told(facts)).toEqual({ found: [found], verdict: { kind: "pass" } });
  });

  it("reads formats of the neighbouring version", () => {
    expect(told(withStates(isCandidate, { speaks: { session: 2, ticket: 2, protocol: 2 } })).found).toEqual([]);
  });

  it("is held by a quota without room", () => {
    expect(told(FACTS, "quota team has 6 of 8 of pods for 3 more pods")).toMatchObject({
      found: ["quota fail"],
      verdict: { kind: "fail", why: "quota team has 6 of 8 of pods for 3 more pods" },
    });
  });

  it("is not held where nothing is known, and does not take silence for emptiness", () => {
    const silent = silenced((pod) => !isCandidate(pod));
    expect(told(silent)).toEqual({ found: ["donors warn"], verdict: { kind: "pass" } });
    const one = FACTS.pods.find((pod) => !isCandidate(pod));
    expect(told(silenced((pod) => pod.name === one?.name)).found).toEqual(["donors warn"]);
  });

  // A rollout that repairs a fleet is the last thing to hold.
  it.each<[string, (facts: ClusterFacts) => ClusterFacts]>([
    ["nobody serves", (facts) => ({ ...facts, pods: facts.pods.map((pod) => ({ ...pod, ready: false })) })],
    ["nothing runs", (facts) => ({ ...facts, pods: facts.pods.map((pod) => ({ ...pod, running: false })) })],
    ["nobody is connected", () => crowded(0)],
    ["there is no pod", (facts) => ({ ...facts, pods: [] })],
  ])("never holds a rollout when %s", (_name, change) => {
    const facts = change(withServer({ terminationGracePeriodSeconds: 5 }));
    expect(preflightVerdict(facts, preflightOf(facts, "exceeded quota"))).toEqual({ kind: "pass" });
  });

  it("never holds a rollout for something that it does not name, whatever is silent or broken", () => {
    const pod = fc.record({
      running: fc.boolean(),
      ready: fc.boolean(),
      connections: fc.option(fc.nat(30_000)),
      capacity: fc.nat(10_000),
      ok: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(pod, { minLength: 4, maxLength: 4 }), fc.nat(4), (values, replicas) => {
        const facts: ClusterFacts = {
          ...FACTS,
          spec: { ...FACTS.spec, replicas },
          pods: FACTS.pods.map((one, at) => {
            const value = values[at];
            if (value === undefined || one.state.kind !== "known") return one;
            const { running, ready, connections, capacity, ok } = value;
            const state: ServerPodFacts["state"] =
              connections === null
                ? { kind: "unknown", why: "silent" }
                : {
                    ...one.state,
                    value: { ...one.state.value, connections, capacity, broker: { ok, lastOkAgoMs: 0 } },
                  };
            return { ...one, running, ready: running && ready, state };
          }),
        };
        const preflight = preflightOf(facts);
        const verdict = preflightVerdict(facts, preflight);
        const donors = facts.pods.filter((one) => !isCandidate(one));
        const serves = donors.some((one) => one.ready);
        const hasClients = donors.some(
          (one) => one.running && one.state.kind === "known" && one.state.value.connections > 0,
        );
        if (!serves || !hasClients) expect(verdict.kind).toBe("pass");
        expect(verdict.kind).not.toBe("inconclusive");
        if (verdict.kind === "fail") expect(verdict.why.length).toBeGreaterThan(10);
      }),
      { numRuns: 200 },
    );
  });
});

describe("the report of a preflight", () => {
  const at = { attempt: "r/1", point: "preflight", sinceMs: undefined } as const;
  const reportOf = (facts: ClusterFacts) => {
    const preflight = preflightOf(facts);
    return preflightStatusFor(at, preflight, preflightVerdict(facts, preflight));
  };
  const eventsOf = (facts: ClusterFacts, before?: ReturnType<typeof reportOf>) =>
    preflightEvents({
      gate: { at, verdicts: {}, preflight: reportOf(facts) },
      cluster: { ...FACTS.cluster, status: before === undefined ? undefined : { preflight: before } },
    });
  const full = withStates(isCandidate, { capacity: 14 });

  it("is the worst of its checks, and a failure only where it holds", () => {
    expect(reportOf(FACTS)).toMatchObject({ attempt: "r/1", result: "Passed" });
    expect(reportOf(full)).toMatchObject({ result: "Failed" });
    expect(reportOf({ ...full, spec: { ...full.spec, rollout: { preflight: "Warn" } } }).result).toBe("Warned");
  });

  it("keeps its words while little changes, and decides by what is found now", () => {
    const before = reportOf(crowded(500));
    const steady = (facts: ClusterFacts, attempt = "r/1") => {
      const preflight = steadyPreflight(preflightOf(facts), { ...at, attempt }, before);
      return { text: preflight.clients.split(":")[0], verdict: preflightVerdict(facts, preflight).kind };
    };
    expect(steady(crowded(520))).toEqual({ text: "1000 clients", verdict: "pass" });
    expect(steady(crowded(600))).toEqual({ text: "1200 clients", verdict: "pass" });
    expect(steady(crowded(520), "r/2").text).toBe("1040 clients");
    // Little more, and too much.
    const almost = withStates(isCandidate, { capacity: 504 });
    const two = {
      ...almost,
      pods: almost.pods.map((pod, index) => (isCandidate(pod) ? pod : (crowded(505).pods[index] ?? pod))),
    };
    expect(steady(two)).toEqual({ text: "1010 clients", verdict: "fail" });
  });

  it("is told once for each attempt and each change of its result", () => {
    expect(eventsOf(FACTS).map(({ reason }) => reason)).toEqual(["PreflightPassed"]);
    expect(eventsOf(FACTS, reportOf(FACTS))).toEqual([]);
    expect(eventsOf(full, reportOf(FACTS))).toEqual([
      {
        reason: "PreflightFailed",
        message: "attempt r/1 waits: 30 connections are to move and 2 pods have room for 28",
      },
    ]);
    expect(eventsOf(FACTS, { ...reportOf(FACTS), attempt: "q/9" })).toHaveLength(1);
  });
});

describe("preconditions", () => {
  it("name the pods that do not tell their state, once they had time to", () => {
    const silent = silenced(isCandidate);
    expect(reachableVerdict(FACTS).status).toBe("True");
    expect(reachableVerdict(silent).status).toBe("True");
    const later = reachableVerdict({ ...silent, nowMs: silent.nowMs + 60_000 });
    expect(later).toMatchObject({ status: "False", reason: "PodsUnreachable" });
    expect(later.message).toMatch(/^2 of 4 pods do not tell .*: it is silent; .*: it is silent\. /);
    const dead = { ...silent, pods: silent.pods.map((pod) => ({ ...pod, running: false })) };
    expect(reachableVerdict({ ...dead, nowMs: silent.nowMs + 60_000 }).status).toBe("True");
  });

  it("say when nodes cannot be followed", () => {
    expect(nodesVerdict(FACTS)).toMatchObject({ status: "True", reason: "AsExpected" });
    expect(nodesVerdict({ ...FACTS, nodes: undefined })).toMatchObject({ reason: "NodeDrainUnavailable" });
    const off = { ...FACTS.spec, disruption: { nodeDrain: false } };
    expect(nodesVerdict({ nodes: undefined, spec: off })).toMatchObject({ status: "True", reason: "NodeDrainOff" });
  });
});
