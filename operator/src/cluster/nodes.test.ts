import { describe, expect, it } from "vitest";
import type { Node } from "../kube/index.ts";
import { nodeFactsOf, nodeMarkOf } from "./nodes.ts";

const node = (spec: Node["spec"], deletionTimestamp?: string): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: {
    name: "n",
    uid: "u",
    resourceVersion: "1",
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
  },
  ...(spec === undefined ? {} : { spec }),
});

describe("a node", () => {
  it.each<[string, Node, { cordoned: boolean; doomed: string | undefined }]>([
    ["without a spec", node(undefined), { cordoned: false, doomed: undefined }],
    ["cordoned", node({ unschedulable: true }), { cordoned: true, doomed: undefined }],
    [
      "with somebody's own taint",
      node({ taints: [{ key: "gpu", effect: "NoSchedule" }] }),
      { cordoned: false, doomed: undefined },
    ],
    [
      "that an autoscaler may remove",
      node({ taints: [{ key: "DeletionCandidateOfClusterAutoscaler", effect: "PreferNoSchedule" }] }),
      { cordoned: false, doomed: undefined },
    ],
    [
      "that an autoscaler removes",
      node({ taints: [{ key: "ToBeDeletedByClusterAutoscaler", effect: "NoSchedule" }] }),
      { cordoned: false, doomed: "taint ToBeDeletedByClusterAutoscaler" },
    ],
    ["that is being deleted", node({}, "2030-01-01T00:00:00Z"), { cordoned: false, doomed: "it is being deleted" }],
  ])("%s", (_name, of, facts) => {
    expect(nodeFactsOf(of)).toEqual(facts);
    expect(nodeMarkOf(of) === "").toBe(!facts.cordoned && facts.doomed === undefined);
  });
});
