// Labels, owner references and security settings that all children share.
import { API_VERSION, KIND, LABELS } from "@wscluster/crds";
import type { OwnerReference } from "../../../kube/index.ts";
import type { ClusterFacts } from "../../facts.ts";

export type ClusterId = ClusterFacts["cluster"];
export type Component = "server" | "edge";

/** Part of every label set; `component` is absent on objects of the cluster as a whole. */
export function labelsFor(cluster: ClusterId, component?: Component): Record<string, string> {
  return {
    "app.kubernetes.io/name": "wscluster",
    "app.kubernetes.io/instance": cluster.name,
    "app.kubernetes.io/part-of": cluster.name,
    "app.kubernetes.io/managed-by": "wscluster-operator",
    ...(component === undefined ? {} : { "app.kubernetes.io/component": component }),
    [LABELS.cluster]: cluster.name,
    ...(component === undefined ? {} : { [LABELS.component]: component }),
  };
}

export function selectorFor(cluster: ClusterId, component: Component): Record<string, string> {
  return { [LABELS.cluster]: cluster.name, [LABELS.component]: component };
}

export function ownerReferenceFor(cluster: ClusterId): OwnerReference {
  return {
    apiVersion: API_VERSION,
    kind: KIND,
    name: cluster.name,
    uid: cluster.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

export function metadataFor(
  cluster: ClusterId,
  name: string,
  component?: Component,
): {
  name: string;
  namespace: string;
  labels: Record<string, string>;
  ownerReferences: OwnerReference[];
} {
  return {
    name,
    namespace: cluster.namespace,
    labels: labelsFor(cluster, component),
    ownerReferences: [ownerReferenceFor(cluster)],
  };
}

/** Pod Security "restricted", and nothing may be written to the image's file system. */
export const POD_SECURITY = {
  runAsNonRoot: true,
  runAsUser: 65532,
  runAsGroup: 65532,
  fsGroup: 65532,
  seccompProfile: { type: "RuntimeDefault" },
} as const;

export const CONTAINER_SECURITY = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  capabilities: { drop: ["ALL"] },
} as const;

/** What a container asks for when the user says nothing: without requests a pod is BestEffort and the first to be evicted. */
export const DEFAULT_REQUESTS = { cpu: "50m", memory: "64Mi" } as const;

type Resources =
  | { requests?: Record<string, string> | undefined; limits?: Record<string, string> | undefined }
  | undefined;

export function resourcesFor(resources: Resources): {
  requests: Record<string, string>;
  limits?: Record<string, string>;
} {
  const requests = { ...DEFAULT_REQUESTS, ...resources?.limits, ...resources?.requests };
  return resources?.limits === undefined ? { requests } : { requests, limits: resources.limits };
}
