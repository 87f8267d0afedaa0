import { ANNOTATIONS } from "@wscluster/crds";
import { describe, expect, it } from "vitest";
import { decide } from "./decide/index.ts";
import type { Observation } from "./observe.ts";
import { World } from "./testing/world.ts";

const SPEC = { replicas: 2, server: { image: "chat:1" }, redis: { url: "redis://r:6379" } };

function settled(): World {
  const world = new World(SPEC);
  world.run(10);
  return world;
}

describe("observe", () => {
  it("says which rule a stored specification breaks, and keeps what was reported", () => {
    const world = settled();
    world.setSpec({ redis: undefined });
    const observed: Observation = world.observe();
    expect(observed).toMatchObject({ kind: "invalid", message: expect.stringMatching(/`redis`/) });
    expect(observed.kind === "invalid" ? observed.status?.ready : undefined).toBe("2/2");
  });

  it("reads a ReplicaSet whose marks somebody removed in the mildest way", () => {
    const world = settled();
    const set = world.table
      .list("ReplicaSet")
      .find(({ metadata }) => metadata.annotations?.[ANNOTATIONS.role] !== undefined);
    if (set === undefined) throw new Error("no set");
    world.table.put({ ...set, metadata: { ...set.metadata, annotations: {} } });
    expect(world.facts().sets[0]).toMatchObject({ role: "stable", step: "serve" });
    world.setSpec({ server: { image: "chat:2" } });
    expect(world.facts().sets[0]).toMatchObject({ role: "retired", step: "retain" });
  });

  it("ignores pods and sets that belong to others", () => {
    const world = settled();
    const pod = world.table.list("Pod")[0];
    const set = world.table.list("ReplicaSet")[0];
    if (pod === undefined || set === undefined) throw new Error("nothing there");
    const owner = [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "x", uid: "somebody-else", controller: true }];
    const { uid: _pod, ...podMetadata } = pod.metadata;
    const { uid: _set, ...setMetadata } = set.metadata;
    world.table.put({ ...pod, metadata: { ...podMetadata, name: "alien", ownerReferences: owner } });
    world.table.put({ ...set, metadata: { ...setMetadata, name: "alien", ownerReferences: owner } });
    const facts = world.facts();
    const names = [...facts.pods, ...facts.edgePods, ...facts.sets, ...facts.edgeSets].map(({ name }) => name);
    expect(names).not.toContain("alien");
    expect(names).toHaveLength(6);
  });
});

describe("a paused cluster and one that is being deleted", () => {
  it("are left as they are", () => {
    const world = settled();
    world.setSpec({ paused: true, server: { image: "chat:2" } });
    const plan = decide(world.facts());
    expect(plan.actions).toEqual([]);
    expect(plan.status.conditions?.find(({ type }) => type === "Progressing")).toMatchObject({ reason: "Paused" });
    const facts = world.facts();
    expect(decide({ ...facts, cluster: { ...facts.cluster, deleting: true } }).actions).toEqual([]);
  });
});
