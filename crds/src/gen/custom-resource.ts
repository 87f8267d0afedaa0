// The CustomResourceDefinition of WebSocketCluster: names, columns, subresources and the rules that need the object's name.
// Not here: the schema below `spec` and `status` (v1alpha1/), writing files (artefacts.ts).

import { GROUP, KIND, PLURAL, VERSION } from "../names.ts";
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

export type CrdResult = { readonly crd: Crd; readonly problems: readonly string[] };

/** The schema of the whole object, as the CRD and the reference use it. */
export function rootSchema(): { readonly schema: ApiSchema; readonly problems: readonly string[] } {
  const spec = structuralSchemaFor(webSocketClusterSpec, "spec");
  const status = structuralSchemaFor(webSocketClusterStatus, "status");
  const schema: ApiSchema = {
    type: "object",
    description:
      "A fleet of WebSocket servers behind an edge. A change of the server pods is a blue-green rollout that moves every live connection.",
    required: ["spec"],
    properties: {
      apiVersion: { type: "string", description: "Version of this schema." },
      kind: { type: "string", description: "Kind of the object." },
      metadata: { type: "object" },
      spec: { ...spec.schema, description: "What is wanted." },
      status: { ...status.schema, description: "What was last seen: a report that the operator can rebuild." },
    },
    "x-kubernetes-validations": NAME_RULES,
  };
  return { schema, problems: [...spec.problems, ...status.problems] };
}

export function crdFor(): CrdResult {
  const { schema, problems } = rootSchema();
  const crd: Crd = {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${PLURAL}.${GROUP}` },
    spec: {
      group: GROUP,
      names: {
        kind: KIND,
        listKind: `${KIND}List`,
        plural: PLURAL,
        singular: KIND.toLowerCase(),
        shortNames: ["wsc"],
        categories: ["websocket"],
      },
      scope: "Namespaced",
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          additionalPrinterColumns: COLUMNS,
          schema: { openAPIV3Schema: schema },
          subresources: {
            status: {},
            scale: {
              specReplicasPath: ".spec.replicas",
              statusReplicasPath: ".status.replicas",
              labelSelectorPath: ".status.selector",
            },
          },
        },
      ],
    },
  };
  return { crd, problems };
}
