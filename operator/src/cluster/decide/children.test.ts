// What the children look like where a mistake would be costly: security, selectors, budgets, names.
import { describe, expect, it } from "vitest";
import type { Manifest } from "../../kube/index.ts";
import { World } from "../testing/world.ts";
import { decide } from "./index.ts";

const SPEC = {
  replicas: 2,
  server: {
    image: "chat:1",
    port: 9000,
    env: [{ name: "GREETING", value: "hi" }],
    resources: { limits: { memory: "1Gi" } },
  },
  redis: { urlSecretRef: { name: "store", key: "url" }, ingestChannel: "events" },
  auth: {
    jwtSecretRef: { name: "jwt", key: "secret" },
    jwt: { jwksUrl: "https://idp/keys", issuer: "idp", audience: "chat" },
    tokenCookie: "sid",
    allowedOrigins: ["https://a", "https://b"],
  },
};

function manifests(spec: Record<string, unknown> = SPEC): Manifest[] {
  const world = new World(spec);
  return decide(world.facts()).actions.flatMap((action) => (action.kind === "apply" ? [action.manifest] : []));
}

const named = (of: Manifest[], kind: string, is: (name: string) => boolean = () => true): Manifest => {
  const found = of.find((manifest) => manifest.kind === kind && is(manifest.metadata.name));
  if (found === undefined) throw new Error(`no ${kind}`);
  return found;
};

describe("server pods", () => {
  const set = named(manifests(), "ReplicaSet", (name) => !name.includes("edge"));
  const template = (
    set["spec"] as { template: { metadata: { labels: Record<string, string> }; spec: Record<string, unknown> } }
  ).template;
  const container = (template.spec["containers"] as Record<string, unknown>[])[0] ?? {};

  it("fit the restricted profile and get no API token", () => {
    expect(template.spec).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
      terminationGracePeriodSeconds: 300,
    });
    expect(container["securityContext"]).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      capabilities: { drop: ["ALL"] },
    });
  });

  it("are told who they are, and their secrets by reference only", () => {
    const env = container["env"] as { name: string; value?: string; valueFrom?: unknown }[];
    const value = (name: string) => env.find((one) => one.name === name)?.value;
    expect([value("WSC_PORT"), value("WSC_REDIS_PREFIX"), value("GREETING")]).toEqual(["9000", "apps.chat", "hi"]);
    expect(value("WSC_ALLOWED_ORIGINS")).toBe("https://a,https://b");
    expect(value("WSC_INGEST_REDIS_CHANNEL")).toBe("events");
    const token = ["WSC_JWT_JWKS_URL", "WSC_JWT_ISSUER", "WSC_JWT_AUDIENCE", "WSC_TOKEN_COOKIE"];
    expect(token.map(value)).toEqual(["https://idp/keys", "idp", "chat", "sid"]);
    const secrets = ["WSC_REDIS_URL", "WSC_ADMIN_KEYS", "WSC_TICKET_KEYS", "WSC_JWT_SECRET"];
    expect(env.filter((one) => secrets.includes(one.name)).map((one) => one.valueFrom)).toEqual([
      { secretKeyRef: { name: "store", key: "url" } },
      { secretKeyRef: { name: "chat-keys", key: "admin" } },
      { secretKeyRef: { name: "chat-keys", key: "ticket" } },
      { secretKeyRef: { name: "jwt", key: "secret" } },
    ]);
    expect(env.find((one) => one.name === "WSC_MODE")?.valueFrom).toEqual({
      fieldRef: { apiVersion: "v1", fieldPath: "metadata.labels['wscluster.io/traffic']" },
    });
  });

  it("ask for the user's memory as a request too, so that they are not the first to be evicted", () => {
    expect(container["resources"]).toEqual({
      requests: { cpu: "50m", memory: "1Gi" },
      limits: { memory: "1Gi" },
    });
  });

  it("are born with the traffic of their set, and counted while attached", () => {
    expect(template.metadata.labels).toMatchObject({
      "wscluster.io/traffic": "active",
      "wscluster.io/set": "attached",
    });
    expect((set["spec"] as { selector: unknown }).selector).toEqual({
      matchLabels: {
        "wscluster.io/cluster": "chat",
        "wscluster.io/component": "server",
        "wscluster.io/revision": set.metadata.labels?.["wscluster.io/revision"],
        "wscluster.io/set": "attached",
      },
    });
  });
});

describe("all children", () => {
  it("belong to the cluster, carry its label, and have names that fit", () => {
    const world = new World(SPEC);
    const longest = "c".repeat(40);
    const facts = world.facts();
    const plan = decide({ ...facts, cluster: { ...facts.cluster, name: longest } });
    const all = plan.actions.flatMap((action) => (action.kind === "apply" ? [action.manifest] : []));
    expect(all.length).toBeGreaterThan(12);
    for (const { metadata } of all) {
      expect(metadata.name.length).toBeLessThanOrEqual(63);
      expect(metadata.labels?.["wscluster.io/cluster"]).toBe(longest);
      expect(metadata.ownerReferences).toEqual([
        {
          apiVersion: "wscluster.io/v1alpha1",
          kind: "WebSocketCluster",
          name: longest,
          uid: facts.cluster.uid,
          controller: true,
          blockOwnerDeletion: true,
        },
      ]);
    }
  });

  it("have budgets of which no two can match one pod", () => {
    const budgets = manifests().filter(({ kind }) => kind === "PodDisruptionBudget");
    const selectors = budgets.map(
      (budget) => (budget["spec"] as { selector: { matchLabels: Record<string, string> } }).selector.matchLabels,
    );
    expect(selectors.filter((labels) => labels["wscluster.io/set"] === "draining")).toHaveLength(1);
    const attached = selectors.filter((labels) => labels["wscluster.io/set"] === "attached");
    expect(new Set(attached.map((labels) => labels["wscluster.io/revision"])).size).toBe(attached.length);
    expect(attached.length + 1).toBe(selectors.length);
  });

  it("lead clients to the edge, or to the servers themselves where there is none", () => {
    const selector = (of: Manifest[]) =>
      (named(of, "Service", (name) => name === "chat")["spec"] as { selector: unknown }).selector;
    const label = (component: string) => ({
      "wscluster.io/cluster": "chat",
      "wscluster.io/component": component,
      "wscluster.io/traffic": "active",
    });
    expect(selector(manifests())).toEqual(label("edge"));
    const without = manifests({ ...SPEC, edge: { enabled: false } });
    expect(selector(without)).toEqual(label("server"));
    expect(without.map(({ metadata }) => metadata.name).filter((name) => name.includes("edge"))).toEqual([]);
  });
});
