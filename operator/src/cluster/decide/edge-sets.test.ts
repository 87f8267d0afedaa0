// An edge set that leaves, and a client that will not: it may not hold the edge for ever.
import { ANNOTATIONS } from "@wscluster/crds";
import { expect, it } from "vitest";
import type { ClusterFacts } from "../facts.ts";
import type { Action } from "../plan.ts";
import { World } from "../testing/world.ts";
import { dependenciesOf } from "./dependencies.ts";
import { planEdge } from "./edge-sets.ts";

/** Two edge sets, the old one out of the Service, with clients that stay on it. */
function leaving(): ClusterFacts {
  const world = new World({
    replicas: 2,
    server: { image: "chat:1" },
    redis: { url: "redis://r" },
    moves: { maxPerSecond: 1 },
    disruption: { deadlineSeconds: 100 },
  });
  world.run(10);
  world.fleet.arrive(40);
  world.setSpec({ edge: { image: "haproxy:2" } });
  world.run(12);
  const facts = world.facts();
  expect(facts.edgeSets.map((set) => set.traffic).toSorted()).toEqual(["active", "none"]);
  return facts;
}

function oldSetAfter(facts: ClusterFacts, passedMs: number, paused = false) {
  const later = { ...facts, nowMs: facts.nowMs + passedMs, spec: { ...facts.spec, moves: { paused } } };
  const { actions, events } = planEdge(later, dependenciesOf(later));
  const old = facts.edgeSets.find((set) => set.traffic === "none");
  const sets = actions.flatMap((action: Action) => (action.kind === "apply" ? [action.manifest] : []));
  const intent = sets.find((manifest) => manifest.kind === "ReplicaSet" && manifest.metadata.name === old?.name);
  return {
    replicas: Reflect.get(Object(intent?.["spec"]), "replicas"),
    since: Date.parse(intent?.metadata.annotations?.[ANNOTATIONS.drainingSince] ?? "") - (old?.drainingSinceMs ?? 0),
    version: intent?.metadata.resourceVersion,
    told: events.map(({ reason }) => reason),
  };
}

it("goes at its deadline, whoever is still on it, and no other version of it than the one that was looked at", () => {
  const facts = leaving();
  const old = facts.edgeSets.find((set) => set.traffic === "none");
  expect(oldSetAfter(facts, 80_000)).toEqual({ replicas: 2, since: 0, version: undefined, told: [] });
  expect(oldSetAfter(facts, 100_000)).toEqual({
    replicas: 0,
    since: 0,
    version: old?.resourceVersion,
    told: ["DrainDeadlineExceeded"],
  });
});

it("gets its time anew while moves are stopped", () => {
  const facts = leaving();
  const since = facts.nowMs - (facts.edgeSets.find((set) => set.traffic === "none")?.drainingSinceMs ?? 0);
  expect(oldSetAfter(facts, 30_000, true)).toMatchObject({ replicas: 2, since: 0 });
  expect(oldSetAfter(facts, 60_000, true)).toMatchObject({ replicas: 2, since: since + 60_000, told: [] });
});
