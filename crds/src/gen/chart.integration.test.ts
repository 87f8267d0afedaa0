// The chart as Helm renders it, judged by a real API server. Not here: an installed chart at work (e2e).
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { type ApiServer, findProgram, missingForApiServer, startApiServer } from "../testing/index.ts";
import { crdArtefacts } from "./artefacts.ts";
import { chartReadmeFor } from "./chart-readme.ts";
import { CHART_VALUES, chartValueRows, chartValuesFor } from "./chart-values.ts";

type Rule = { apiGroups: string[]; resources: string[]; verbs: string[] };
type Manifest = {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  rules?: Rule[];
  spec?: { template?: { metadata: { labels: Record<string, string> }; spec: Record<string, unknown> } };
};

const CHART = fileURLToPath(new URL("../../../charts/wscluster", import.meta.url));
const NAMESPACE = "wscluster-system";
const helm = findProgram("helm");
const runFile = promisify(execFile);

describe("values.yaml", () => {
  it("has a comment that begins with the key's name above every key", () => {
    const lines = chartValuesFor(CHART_VALUES).split("\n");
    const free = new Set(["cpu", "memory", "kubernetes.io/os"]);
    const keys = lines.flatMap((line, index) => {
      const key = /^\s*([A-Za-z./]+):/.exec(line)?.[1];
      return key === undefined || free.has(key) ? [] : [{ key, comment: lines[index - 1]?.trim() }];
    });
    expect(keys.length).toBeGreaterThan(40);
    expect(keys.filter(({ key, comment }) => !comment?.startsWith(`# ${key}: `))).toEqual([]);
  });

  it("agrees with the schema", () => {
    const values: unknown = parse(chartValuesFor(CHART_VALUES));
    expect(CHART_VALUES.parse(values)).toEqual(values);
  });
});

describe("the chart's README", () => {
  it("has a row for every value", () => {
    const keys = [...chartReadmeFor(chartValueRows(CHART_VALUES)).matchAll(/^\| `([^`]+)` \|/gm)].map(
      (match) => match[1],
    );
    expect(keys).toContain("redis.resources.limits");
    expect(new Set(keys.map((key) => key?.split(".")[0]))).toEqual(new Set(Object.keys(CHART_VALUES.shape)));
  });
});

describe("the chart's CRD", () => {
  it("is the generated one, guarded, and kept when the chart goes", () => {
    const { files } = crdArtefacts();
    const template = files["charts/wscluster/templates/crds.yaml"] ?? "";
    expect(template).toContain("{{- if .Values.crds.enabled }}");
    expect(template).toContain("helm.sh/resource-policy: keep");
    for (const plural of ["websocketclusters", "websocketrebalances"]) {
      const [, ...plain] = (files[`crds/${plural}.wscluster.io.yaml`] ?? "").split("\nspec:\n");
      expect(template).toContain(plain.join("\nspec:\n"));
    }
  });
});

describe.skipIf(!helm.found)(`the chart under Helm${helm.found ? "" : ` (skipped: ${helm.reason})`}`, () => {
  const runHelm = async (...args: string[]) => {
    if (!helm.found) throw new Error(helm.reason);
    return (await runFile(helm.path, args, { maxBuffer: 16 * 1024 * 1024 })).stdout;
  };
  const render = async (...sets: string[]): Promise<Manifest[]> => {
    const args = ["template", "wscluster", CHART, "--namespace", NAMESPACE, ...sets.flatMap((set) => ["--set", set])];
    const documents = parseAllDocuments(await runHelm(...args)).map((document): unknown => document.toJS());
    return documents.filter((document): document is Manifest => document !== null);
  };
  const namesOf = (manifests: readonly Manifest[], kind: string) =>
    manifests.filter((manifest) => manifest.kind === kind).map((manifest) => manifest.metadata.name);

  it("passes helm lint", async () => {
    expect(await runHelm("lint", CHART, "--strict")).toContain("0 chart(s) failed");
  });

  it.each([
    ["a value that does not exist", "replcias=3"],
    ["a value out of bounds", "replicas=0"],
    ["a word that is none of the allowed ones", "logLevel=loud"],
  ])("refuses %s", async (_what, set) => {
    await expect(render(set)).rejects.toThrow(/values don't meet the specifications of the schema/);
  });

  it("leaves the optional parts out unless they are asked for", async () => {
    const plain = await render();
    expect(namesOf(plain, "Deployment")).toEqual(["wscluster-operator"]);
    expect(namesOf(plain, "CustomResourceDefinition")).toHaveLength(2);
    const trial = await render("redis.embedded=true", "crds.enabled=false", "replicas=1", "rbac.aggregate=false");
    expect(namesOf(trial, "Deployment").sort()).toEqual(["wscluster-operator", "wscluster-redis"]);
    expect(namesOf(trial, "Service")).toEqual(["wscluster-redis"]);
    expect(namesOf(trial, "CustomResourceDefinition")).toEqual([]);
    expect(namesOf(trial, "PodDisruptionBudget")).toEqual([]);
    expect(namesOf(trial, "ClusterRole")).toEqual(["wscluster-operator"]);
  });

  it("grants by name and verb, nothing by wildcard, and never the right to hand out more", async () => {
    const rules = (await render()).flatMap((manifest) => manifest.rules ?? []);
    expect(rules.length).toBeGreaterThan(10);
    for (const rule of rules) {
      const words = [...rule.apiGroups, ...rule.resources, ...rule.verbs];
      expect(words.filter((word) => ["*", "escalate", "bind", "impersonate"].includes(word))).toEqual([]);
    }
  });

  it("works in the named namespaces only, with a Role in each", async () => {
    const manifests = await render("watchNamespaces={shop,news}");
    const roles = manifests.filter(({ kind, metadata }) => kind === "Role" && metadata.name === "wscluster-operator");
    expect(roles.map((role) => role.metadata.namespace)).toEqual(["shop", "news"]);
    const wide = manifests.find(
      ({ kind, metadata }) => kind === "ClusterRole" && metadata.name === "wscluster-operator",
    );
    expect(wide?.rules?.flatMap((rule) => rule.resources)).toEqual(["nodes", "leases"]);
  });

  it("takes a digest instead of the tag, and the agent's image from the operator's", async () => {
    const text = JSON.stringify(await render("image.repository=example/op", "image.digest=sha256:abc"));
    expect(text).toContain('"image":"example/op@sha256:abc"');
    expect(text).toContain('{"name":"WSC_AGENT_IMAGE","value":"example/op@sha256:abc"}');
  });

  const missing = missingForApiServer();
  describe.skipIf(missing !== undefined)(
    `on a real API server${missing === undefined ? "" : ` (skipped: ${missing})`}`,
    () => {
      let server: ApiServer;
      let manifests: Manifest[];

      beforeAll(async () => {
        server = await startApiServer();
        manifests = await render("redis.embedded=true");
        // The strictest profile that Kubernetes has: a pod that breaks it is refused.
        const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
        await server.send("POST", "/api/v1/namespaces", {
          apiVersion: "v1",
          kind: "Namespace",
          metadata: { name: NAMESPACE, labels },
        });
      }, 90_000);

      afterAll(async () => server[Symbol.asyncDispose]());

      it("is taken whole, without an unknown field", async () => {
        for (const manifest of manifests) {
          const answer = await server.send("POST", `${pathOf(manifest)}?fieldValidation=Strict`, manifest);
          expect(answer, `${manifest.kind} ${manifest.metadata.name}`).toMatchObject({ status: 201 });
        }
      });

      it("lets the operator do its work, and give the edge agents their part of it, and no more", async () => {
        const as = `system:serviceaccount:${NAMESPACE}:wscluster-operator`;
        const send = async (method: string, path: string, body?: unknown) =>
          (await server.send(method, path, body, { as })).status;
        const rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
        const roleOf = (name: string, resource: string) => ({
          metadata: { name },
          rules: [{ apiGroups: [""], resources: [resource], verbs: ["get", "list", "watch"] }],
        });
        const binding = {
          metadata: { name: "edge" },
          roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "edge" },
        };
        const leases = (namespace: string) => `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
        expect({
          readsPods: await send("GET", "/api/v1/pods"),
          readsNodes: await send("GET", "/api/v1/nodes"),
          readsDeployments: await send("GET", "/apis/apps/v1/deployments"),
          givesPods: await send("POST", `${rbac}/roles`, roleOf("edge", "pods")),
          bindsThem: await send("POST", `${rbac}/rolebindings`, binding),
          givesMore: await send("POST", `${rbac}/roles`, roleOf("more", "persistentvolumeclaims")),
          makesKeys: await send("POST", "/api/v1/namespaces/default/secrets", { metadata: { name: "chat-keys" } }),
          readsKeys: await send("GET", "/api/v1/namespaces/default/secrets/chat-keys"),
          changesNodes: await send("DELETE", "/api/v1/nodes/n1"),
          leads: await send("POST", leases(NAMESPACE), { metadata: { name: "operator" } }),
          seesWhoElseLeads: await send("GET", `${leases("default")}/operator`),
          leadsElsewhere: await send("POST", leases("default"), { metadata: { name: "operator" } }),
        }).toEqual({
          readsPods: 200,
          readsNodes: 200,
          readsDeployments: 403,
          givesPods: 201,
          bindsThem: 201,
          givesMore: 403,
          makesKeys: 201,
          readsKeys: 200,
          changesNodes: 403,
          leads: 201,
          seesWhoElseLeads: 404,
          leadsElsewhere: 403,
        });
      });

      it("runs pods that the restricted profile takes", async () => {
        const templates = manifests.flatMap((manifest) => manifest.spec?.template ?? []);
        expect(templates).toHaveLength(2);
        for (const [index, template] of templates.entries()) {
          const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: `pod-${index}` }, spec: template.spec };
          const path = `/api/v1/namespaces/${NAMESPACE}/pods?dryRun=All&fieldValidation=Strict`;
          expect(await server.send("POST", path, pod)).toMatchObject({ status: 201 });
        }
      });
    },
  );
});

const CLUSTER_WIDE = new Set(["ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"]);

function pathOf({ apiVersion, kind }: Manifest): string {
  const plural = `${kind.toLowerCase()}s`;
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return CLUSTER_WIDE.has(kind) ? `${root}/${plural}` : `${root}/namespaces/${NAMESPACE}/${plural}`;
}
