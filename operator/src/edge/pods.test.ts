import { LABELS } from "@wscluster/crds";
import { describe, expect, it } from "vitest";
import type { Pod } from "../kube/index.ts";
import { parseInstructions, parseServerPod } from "./pods.ts";

const ports = { port: 8_080, adminPort: 8_081 };

function podJson(change: {
  metadata?: Partial<Pod["metadata"]>;
  status?: NonNullable<Pod["status"]>;
  spec?: NonNullable<Pod["spec"]>;
}): Pick<Pod, "metadata" | "spec" | "status"> {
  return {
    metadata: {
      name: "p",
      uid: "12345678-9abc-4def-8123-456789abcdef",
      resourceVersion: "1",
      labels: { [LABELS.revision]: "blue", [LABELS.set]: "attached", [LABELS.traffic]: "active" },
      ...change.metadata,
    },
    spec: change.spec ?? {
      containers: [
        { name: "sidecar", ports: [{ containerPort: 99 }] },
        {
          name: "server",
          ports: [
            { name: "ws", containerPort: 7_070 },
            { name: "admin", containerPort: 7_071 },
          ],
        },
      ],
    },
    status: change.status ?? { podIP: "10.1.2.3", phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
  };
}

describe("parseServerPod", () => {
  it("reads KEY, address, the ports that the pod names, revision and readiness", () => {
    expect(parseServerPod(podJson({}), ports)).toEqual({
      key: "123456789abc4def",
      address: "10.1.2.3",
      port: 7_070,
      adminPort: 7_071,
      revision: "blue",
      isEligible: true,
      isReady: true,
    });
  });

  it("takes the given ports where the pod names none", () => {
    expect(parseServerPod(podJson({ spec: { containers: [{ name: "server" }] } }), ports)).toMatchObject(ports);
  });

  it.each<[string, NonNullable<Pod["status"]>]>([
    ["without an address", { phase: "Pending" }],
    ["with an empty address", { phase: "Running", podIP: "" }],
    ["that failed", { phase: "Failed", podIP: "10.1.2.3" }],
    ["that succeeded", { phase: "Succeeded", podIP: "10.1.2.3" }],
  ])("leaves out a pod %s", (_, status) => {
    expect(parseServerPod(podJson({ status }), ports)).toBeUndefined();
  });

  it.each<[string, Partial<Pod["metadata"]>]>([
    ["is being deleted", { deletionTimestamp: "2026-01-01T00:00:00Z" }],
    ["was detached", { labels: { [LABELS.set]: "draining", [LABELS.traffic]: "active" } }],
    ["is for the preview", { labels: { [LABELS.set]: "attached", [LABELS.traffic]: "preview" } }],
    ["carries no label", { labels: {} }],
  ])("knows a pod that %s, but not for unnamed arrivals", (_, metadata) => {
    expect(parseServerPod(podJson({ metadata }), ports)).toMatchObject({ key: "123456789abc4def", isEligible: false });
  });

  it.each([[[]], [[{ type: "Ready", status: "Unknown" }]], [[{ type: "ContainersReady", status: "True" }]]])(
    "does not take %j for readiness",
    (conditions) => {
      const status = { podIP: "10.1.2.3", phase: "Running", conditions };
      expect(parseServerPod(podJson({ status }), ports)?.isReady).toBe(false);
    },
  );
});

describe("parseInstructions", () => {
  it("reads what the operator wrote, also with fields of a later version", () => {
    const data = { "state.json": '{"generation":7,"takesNew":["a","b"],"later":{}}' };
    expect(parseInstructions({ data })).toEqual({ generation: 7, takesNew: ["a", "b"] });
  });

  it.each([
    ["no ConfigMap", undefined],
    ["no data", {}],
    ["no such key", { data: { other: "{}" } }],
    ["no JSON", { data: { "state.json": "{" } }],
    ["another shape", { data: { "state.json": '{"generation":"7","takesNew":[]}' } }],
    ["a generation below zero", { data: { "state.json": '{"generation":-1,"takesNew":[]}' } }],
  ])("finds nothing in %s", (_, configMap) => {
    expect(parseInstructions(configMap)).toBeUndefined();
  });
});
