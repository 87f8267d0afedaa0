// The chart's values: one zod source for values.yaml and values.schema.json. Pure. Not here: the templates (charts/wscluster).

import { isScalar, parseDocument, stringify, visit } from "yaml";
import { z } from "zod";

const words = z.record(z.string(), z.string());
const loose = z.record(z.string(), z.unknown());
const pullPolicy = z.enum(["Always", "IfNotPresent", "Never"]);

const image = (repository: string) => ({
  repository: z.string().min(1).default(repository).describe("where the image lies, without tag."),
  tag: z.string().default("").describe("tag of the image; empty = the chart's appVersion."),
  digest: z.string().default("").describe("sha256:... digest; when it is set the tag is ignored."),
  pullPolicy: pullPolicy.default("IfNotPresent").describe("when the kubelet pulls the image."),
});

const resources = (requests: Record<string, string>, limits: Record<string, string>) =>
  z
    .strictObject({
      requests: words.default(requests).describe("requested amounts."),
      limits: words.default(limits).describe("limits; no CPU limit, so that a short burst is not throttled."),
    })
    .describe("compute resources of the container.");

/** Order and texts are those of values.yaml; each text completes "# KEY: ...". */
export const CHART_VALUES = z.strictObject({
  global: loose.default({}).describe("what Helm hands to subcharts; not read here."),
  nameOverride: z.string().max(40).default("").describe("replaces the chart's name in labels."),
  fullnameOverride: z
    .string()
    .max(40)
    .default("")
    .describe("prefix of every object's name; empty = made from the release name."),
  commonLabels: words.default({}).describe("labels for every object of the chart."),
  crds: z
    .strictObject({
      enabled: z
        .boolean()
        .default(true)
        .describe("install and upgrade the CRD with the chart. It stays when the chart is uninstalled."),
    })
    .describe("the custom resource definition."),
  replicas: z.int().min(1).max(5).default(2).describe("operator pods: one leads, the others stand by, ready."),
  image: z.strictObject(image("wscluster/operator")).describe("image of the operator and of the edge agent."),
  imagePullSecrets: z
    .array(z.strictObject({ name: z.string() }))
    .default([])
    .describe("Secrets for pulling the images of this chart, as in `- name: NAME`."),
  agentImage: z
    .string()
    .default("")
    .describe(
      "full name of the edge agent's image for clusters made from now on; empty = the operator's. A cluster keeps the one it was made with.",
    ),
  edge: z
    .strictObject({
      image: z
        .string()
        .default("wscluster/edge:0.1.0")
        .describe("full name of the HAProxy image for clusters that do not name one."),
    })
    .describe("the proxy in front of the servers."),
  watchNamespaces: z
    .array(z.string().min(1).max(63))
    .default([])
    .describe(
      "namespaces to work in; empty = all. With a list the operator gets a Role in each instead of a ClusterRole.",
    ),
  webhookAllow: z
    .array(z.string().min(1).max(253))
    .default([])
    .describe(
      "hosts, *.domains, addresses and CIDRs that webhooks of rollouts may be called at; empty = none. Loopback, link-local and metadata addresses are never called.",
    ),
  logLevel: z
    .enum(["trace", "debug", "info", "warn", "error"])
    .default("info")
    .describe("least severe level that the operator logs."),
  serviceAccount: z
    .strictObject({
      create: z.boolean().default(true).describe("make a service account for the operator."),
      name: z.string().default("").describe("name of the service account; empty = made from the release name."),
      annotations: words.default({}).describe("annotations of the service account."),
    })
    .describe("the operator's identity."),
  rbac: z
    .strictObject({
      create: z.boolean().default(true).describe("make the roles that the operator needs, and bind them."),
      aggregate: z
        .boolean()
        .default(true)
        .describe(
          "add WebSocketCluster to the cluster roles view, edit and admin, so that whoever has those may use it.",
        ),
    })
    .describe("permissions."),
  podDisruptionBudget: z
    .strictObject({
      enabled: z.boolean().default(true).describe("keep one operator pod through node drains; made when replicas > 1."),
    })
    .describe("protection from voluntary evictions."),
  resources: resources({ cpu: "100m", memory: "192Mi" }, { memory: "512Mi" }),
  podAnnotations: words.default({}).describe("annotations of the operator pods."),
  podLabels: words.default({}).describe("labels of the operator pods."),
  nodeSelector: words
    .default({ "kubernetes.io/os": "linux" })
    .describe("node labels that the pods of this chart need."),
  tolerations: z.array(loose).default([]).describe("taints that the pods of this chart tolerate."),
  affinity: loose.default({}).describe("affinity of the operator pods; empty = prefer a node each."),
  redis: z
    .strictObject({
      embedded: z
        .boolean()
        .default(false)
        .describe("run one Redis without persistence beside the operator. For trials: NOT for production."),
      image: z
        .string()
        .min(1)
        .default("wscluster/redis:0.1.0")
        .describe("full name of an image that holds `redis-server`."),
      pullPolicy: pullPolicy.default("IfNotPresent").describe("when the kubelet pulls the image."),
      maxMemory: z
        .string()
        .regex(/^[0-9]+(kb|mb|gb)$/)
        .default("256mb")
        .describe("memory for data; writes fail beyond it, nothing is evicted."),
      resources: resources({ cpu: "100m", memory: "320Mi" }, { memory: "384Mi" }),
    })
    .describe("a Redis for a first try."),
});

/** values.schema.json: unknown keys are refused by helm install, upgrade, lint and template. */
export function chartSchemaFor(values: z.ZodType): string {
  const schema = z.toJSONSchema(values, { target: "draft-7", io: "input", reused: "inline" });
  return `${JSON.stringify({ ...schema, title: "Values of the chart wscluster" }, undefined, 2)}\n`;
}

/** values.yaml: the defaults, each key under a comment that begins with its name. */
export function chartValuesFor(values: z.ZodType): string {
  const schema: SchemaNode = z.toJSONSchema(values, { target: "draft-7", io: "input", reused: "inline" });
  const document = parseDocument(stringify(defaultsOf(schema), { defaultStringType: "PLAIN" }));
  visit(document, {
    Pair(_key, pair, path) {
      const names = path.flatMap((step) => ("key" in step && isScalar(step.key) ? [String(step.key.value)] : []));
      if (!isScalar(pair.key)) return;
      const name = String(pair.key.value);
      const described = descriptionAt(schema, [...names, name]);
      if (described === undefined) return;
      pair.key.commentBefore = ` ${name}: ${described}`;
      pair.key.spaceBefore = names.length === 0;
    },
  });
  document.commentBefore =
    " Values of the chart wscluster. Generated from crds/src/gen/chart-values.ts by `npm run gen`.";
  return document.toString({ lineWidth: 0 });
}

export type ChartValueRow = { readonly key: string; readonly value: unknown; readonly meaning: string };

/** One row per value that can be set, as `redis.image`. */
export function chartValueRows(values: z.ZodType): readonly ChartValueRow[] {
  return rowsBelow(z.toJSONSchema(values, { target: "draft-7", io: "input", reused: "inline" }), "");
}

function rowsBelow(node: SchemaNode, prefix: string): readonly ChartValueRow[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, value]) => {
    const child = value as SchemaNode;
    const key = `${prefix}${name}`;
    if (child.properties !== undefined) return rowsBelow(child, `${key}.`);
    return [{ key, value: child.default, meaning: child.description ?? "" }];
  });
}

type SchemaNode = {
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, unknown>>;
};

function defaultsOf(node: SchemaNode): unknown {
  if (node.default !== undefined) return node.default;
  return Object.fromEntries(
    Object.entries(node.properties ?? {}).map(([key, child]) => [key, defaultsOf(child as SchemaNode)]),
  );
}

function descriptionAt(node: SchemaNode, path: readonly string[]): string | undefined {
  const [first, ...rest] = path;
  if (first === undefined) return node.description;
  const child = node.properties?.[first];
  return child === undefined ? undefined : descriptionAt(child as SchemaNode, rest);
}
