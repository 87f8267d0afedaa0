import { describe, expect, it } from "vitest";
import { edgeConfigSchema } from "./config.ts";
import { edgePodSpecFor, edgeRoleRulesFor } from "./pod-spec.ts";

const spec = edgePodSpecFor({ cluster: "chat", namespace: "demo", image: "proxy:1", agentImage: "operator:1" });
const [haproxy, agent] = spec.containers;

describe("edgePodSpecFor", () => {
  it("stops the proxy only after the agent said that the pod is empty", () => {
    expect(haproxy).toMatchObject({ lifecycle: { preStop: { httpGet: { path: "/edge/v1/drained", port: 8_001 } } } });
    expect(agent).not.toHaveProperty("lifecycle");
  });

  it("gives the token to the agent alone", () => {
    expect(spec.automountServiceAccountToken).toBe(false);
    expect(haproxy?.volumeMounts.map((mount) => mount.name)).toEqual(["config", "run"]);
    expect(agent?.volumeMounts.map((mount) => mount.name)).toEqual(["run", "token"]);
  });

  it("fits Pod Security restricted with nothing to write to", () => {
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
    for (const { securityContext } of spec.containers)
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        runAsNonRoot: true,
        capabilities: { drop: ["ALL"] },
      });
  });

  it("sets variables that the agent knows", () => {
    const known = Object.keys(edgeConfigSchema.shape);
    expect(agent?.env.map(({ name }) => name).filter((name) => !known.includes(name))).toEqual([]);
  });

  it("probes the proxy apart from the clients' port, so that a full edge is not restarted", () => {
    expect(haproxy?.livenessProbe.httpGet.port).toBe("health");
  });

  it("lets the agent read pods and its own ConfigMap only", () => {
    expect(edgeRoleRulesFor("chat")).toEqual([
      { apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "watch"] },
      { apiGroups: [""], resources: ["configmaps"], resourceNames: ["chat-edge"], verbs: ["get", "list", "watch"] },
    ]);
  });
});
