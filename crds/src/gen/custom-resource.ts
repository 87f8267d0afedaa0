// The CustomResourceDefinitions: names, columns, subresources and the rules that need the object's name.
// Not here: the schema below `spec` and `status` (v1alpha1/), writing files (artefacts.ts).

import { GROUP, KIND, PLURAL, REBALANCE_KIND, REBALANCE_PLURAL, VERSION } from "../names.ts";
import { webSocketRebalanceSpec, webSocketRebalanceStatus } from "../v1alpha1/rebalance.ts";
import { webSocketClusterSpec } from "../v1alpha1/spec.ts";
import { webSocketClusterStatus } from "../v1alpha1/status.ts";
import { type ApiSchema, structuralSchemaFor } from "./structural-schema.ts";

type PrinterColumn = {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly jsonPath: string;
  readonly description: string;
};

const COLUMNS: readonly PrinterColumn[] = [
  {
    name: "Ready",
    type: "string",
    jsonPath: ".status.ready",
    description: "Ready and wanted pods of the set that takes new connections.",
  },
  { name: "Active", type: "string", jsonPath: ".status.active", description: "Set that takes new connections." },
  { name: "Candidate", type: "string", jsonPath: ".status.candidate", description: "Set that is taking over." },
  { name: "Replicas", type: "integer", jsonPath: ".status.replicas", description: "Server pods of all sets." },
  { name: "Connections", type: "integer", jsonPath: ".status.connections", description: "Connections of the fleet." },
  { name: "Moving", type: "string", jsonPath: ".status.moving", description: "Progress of the running move." },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", description: "Time since creation." },
];

const REBALANCE_COLUMNS: readonly PrinterColumn[] = [
  { name: "Cluster", type: "string", jsonPath: ".spec.clusterName", description: "Cluster that it is for." },
  { name: "Phase", type: "string", jsonPath: ".status.phase", description: "Where it stands." },
  {
    name: "Before",
    type: "integer",
    jsonPath: ".status.before.imbalancePercent",
    description: "Imbalance when it was proposed, percent.",
  },
  {
    name: "Predicted",
    type: "integer",
    jsonPath: ".status.predicted.imbalancePercent",
    description: "Imbalance that is expected afterwards, percent.",
  },
  {
    name: "After",
    type: "integer",
    jsonPath: ".status.after.imbalancePercent",
    description: "Imbalance as measured afterwards, percent.",
  },
  { name: "Reconnects", type: "integer", jsonPath: ".status.reconnects", description: "Connections that move." },
  { name: "Moved", type: "integer", jsonPath: ".status.receipts.moved", description: "Connections that have moved." },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", description: "Time since creation." },
];

/** Children are named after the cluster, some as Services, and the longest of them has to fit 63 characters. */
const NAME_RULES = [
  {
    rule: "size(self.metadata.name) <= 40",
    message: "`metadata.name` must be at most 40 characters: names of pods and Services are made from it",
  },
  {
    rule: "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    message: "`metadata.name` must begin with a letter and hold only a-z, 0-9 and `-`: Services are named after it",
  },
];

type CrdVersion = {
  readonly name: string;
  readonly served: boolean;
  readonly storage: boolean;
  readonly additionalPrinterColumns: readonly PrinterColumn[];
  readonly schema: { readonly openAPIV3Schema: ApiSchema };
  readonly subresources: Readonly<Record<string, Readonly<Record<string, string>>>>;
};

export type Crd = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly names: Readonly<Record<string, string | readonly string[]>>;
    readonly scope: "Namespaced";
    readonly versions: readonly CrdVersion[];
  };
};

/** One custom resource: what its definition and its reference are made from. */
export type ResourceKind = {
  readonly kind: string;
  readonly plural: string;
  readonly shortName: string;
  readonly columns: readonly PrinterColumn[];
  readonly subresources: CrdVersion["subresources"];
  /** Of the whole object; `problems` is empty unless the source breaks a rule. */
  readonly schema: ApiSchema;
  readonly problems: readonly string[];
};

export function clusterKind(): ResourceKind {
  const spec = structuralSchemaFor(webSocketClusterSpec, "spec");
  const status = structuralSchemaFor(webSocketClusterStatus, "status");
  return {
    kind: KIND,
    plural: PLURAL,
    shortName: "wsc",
    columns: COLUMNS,
    subresources: {
      status: {},
      scale: {
        specReplicasPath: ".spec.replicas",
        statusReplicasPath: ".status.replicas",
        labelSelectorPath: ".status.selector",
      },
    },
    schema: objectSchema(
      "A fleet of WebSocket servers behind an edge. A change of the server pods is a blue-green rollout that moves every live connection.",
      spec.schema,
      status.schema,
      NAME_RULES,
    ),
    problems: [...spec.problems, ...status.problems],
  };
}

export function rebalanceKind(): ResourceKind {
  const spec = structuralSchemaFor(webSocketRebalanceSpec, "spec");
  const status = structuralSchemaFor(webSocketRebalanceStatus, "status");
  return {
    kind: REBALANCE_KIND,
    plural: REBALANCE_PLURAL,
    shortName: "wsr",
    columns: REBALANCE_COLUMNS,
    subresources: { status: {} },
    schema: objectSchema(
      "One plan to even out the load of a WebSocketCluster, to be approved or stopped. Made by the operator as a proposal, or by a user as a request.",
      spec.schema,
      status.schema,
      [],
    ),
    problems: [...spec.problems, ...status.problems],
  };
}

function objectSchema(description: string, spec: ApiSchema, status: ApiSchema, rules: typeof NAME_RULES): ApiSchema {
  return {
    type: "object",
    description,
    required: ["spec"],
    properties: {
      apiVersion: { type: "string", description: "Version of this schema." },
      kind: { type: "string", description: "Kind of the object." },
      metadata: { type: "object" },
      spec: { ...spec, description: "What is wanted." },
      status: { ...status, description: "What was last seen: a report that the operator can rebuild." },
    },
    ...(rules.length === 0 ? {} : { "x-kubernetes-validations": rules }),
  };
}

export function crdFor(of: ResourceKind): Crd {
  const { kind, plural, shortName, columns, subresources, schema } = of;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames: [shortName],
        categories: ["websocket"],
      },
      scope: "Namespaced",
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          additionalPrinterColumns: columns,
          schema: { openAPIV3Schema: schema },
          subresources,
        },
      ],
    },
  };
}
