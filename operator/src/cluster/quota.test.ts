import { describe, expect, it } from "vitest";
import type { ResourceQuota } from "../kube/index.ts";
import type { ClusterFacts } from "./facts.ts";
import { quotaTroubleOf } from "./quota.ts";
import { World } from "./testing/world.ts";

const FACTS = ((): ClusterFacts => {
  const resources = { requests: { cpu: "500m" }, limits: { cpu: "1", memory: "1Gi" } };
  const world = new World({ replicas: 3, server: { image: "chat:1", resources }, redis: { url: "redis://r:6379" } });
  world.run(10);
  world.setSpec({ server: { image: "chat:2", resources } });
  return world.facts();
})();

const quota = (hard: Record<string, string>, used: Record<string, string>, spec: object = {}): ResourceQuota => ({
  apiVersion: "v1",
  kind: "ResourceQuota",
  metadata: { name: "team", uid: "u", resourceVersion: "1" },
  spec,
  status: { hard, used },
});
const trouble = (hard: Record<string, string>, used: Record<string, string> = {}, spec: object = {}) =>
  quotaTroubleOf([quota(hard, used, spec)], FACTS);

describe("quotas", () => {
  it.each([
    ["pods", "8", "6", "quota team has 6 of 8 of pods for 3 more pods"],
    ["count/pods", "2", "0", "quota team has 0 of 2 of count/pods for 3 more pods"],
    ["requests.cpu", "2", "1500m", "quota team has 1500m of 2 of requests.cpu for 3 more pods"],
    ["limits.cpu", "5", "3", "quota team has 3 of 5 of limits.cpu for 3 more pods"],
    ["requests.memory", "2Gi", "0", "quota team has 0 of 2Gi of requests.memory for 3 more pods"],
  ])("that leave no room for the candidate are told: %s", (what, hard, used, text) => {
    expect(trouble({ [what]: hard }, { [what]: used })).toBe(text);
  });

  it("say nothing where there is room, or where nobody can know", () => {
    expect(
      trouble({ pods: "9", "requests.cpu": "3", "limits.memory": "3Gi" }, { pods: "6", "requests.cpu": "1500m" }),
    ).toBeUndefined();
    expect(trouble({ pods: "1" }, { pods: "1" }, { scopes: ["BestEffort"] })).toBeUndefined();
    expect(trouble({ "requests.ephemeral-storage": "1", services: "0", pods: "many" })).toBeUndefined();
    expect(quotaTroubleOf([], FACTS)).toBeUndefined();
  });

  it("count only the pods that are made at first", () => {
    const sliced = { ...FACTS, spec: { ...FACTS.spec, rollout: { surgePercent: 30 } } };
    expect(quotaTroubleOf([quota({ pods: "7" }, { pods: "6" })], sliced)).toBeUndefined();
    expect(quotaTroubleOf([quota({ pods: "6" }, { pods: "6" })], sliced)).toMatch(/for 1 more pods$/);
  });
});
