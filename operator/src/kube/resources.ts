// The kinds that the operator touches and their paths. One row per kind; nothing else knows a URL.
import type * as objects from "./objects.ts";
import type { KubeObject, ObjectRef } from "./objects.ts";

export type Resource<T extends KubeObject = KubeObject> = {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  /** Carries the object type through inference; never set. */
  readonly objectType?: T;
};

function core<T extends KubeObject>(kind: string, plural: string, namespaced = true): Resource<T> {
  return { group: "", version: "v1", kind, plural, namespaced };
}

function named<T extends KubeObject>(group: string, version: string, kind: string, plural: string): Resource<T> {
  return { group, version, kind, plural, namespaced: true };
}

export const resources = {
  pods: core<objects.Pod>("Pod", "pods"),
  services: core<objects.Service>("Service", "services"),
  configMaps: core<objects.ConfigMap>("ConfigMap", "configmaps"),
  secrets: core<objects.Secret>("Secret", "secrets"),
  serviceAccounts: core<objects.ServiceAccount>("ServiceAccount", "serviceaccounts"),
  resourceQuotas: core<objects.ResourceQuota>("ResourceQuota", "resourcequotas"),
  nodes: core<objects.Node>("Node", "nodes", false),
  replicaSets: named<objects.ReplicaSet>("apps", "v1", "ReplicaSet", "replicasets"),
  deployments: named<objects.Deployment>("apps", "v1", "Deployment", "deployments"),
  endpointSlices: named<objects.EndpointSlice>("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
  podDisruptionBudgets: named<objects.PodDisruptionBudget>(
    "policy",
    "v1",
    "PodDisruptionBudget",
    "poddisruptionbudgets",
  ),
  roles: named<objects.Role>("rbac.authorization.k8s.io", "v1", "Role", "roles"),
  roleBindings: named<objects.RoleBinding>("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
  leases: named<objects.Lease>("coordination.k8s.io", "v1", "Lease", "leases"),
  events: named<objects.KubeEvent>("", "v1", "Event", "events"),
  webSocketRebalances: named<objects.CustomObject>(
    "wscluster.io",
    "v1alpha1",
    "WebSocketRebalance",
    "websocketrebalances",
  ),
  horizontalPodAutoscalers: named<objects.CustomObject>(
    "autoscaling",
    "v2",
    "HorizontalPodAutoscaler",
    "horizontalpodautoscalers",
  ),
  webSocketClusters: named<objects.CustomObject>("wscluster.io", "v1alpha1", "WebSocketCluster", "websocketclusters"),
} as const;

export function apiVersionOf(resource: Resource): string {
  return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}

/** The row for an object's apiVersion and kind, or undefined when the operator does not know it. */
export function resourceFor(object: { apiVersion: string; kind: string }): Resource | undefined {
  return Object.values<Resource>(resources).find(
    (row) => row.kind === object.kind && apiVersionOf(row) === object.apiVersion,
  );
}

/** Path of a collection (no name), an object, or a subresource of an object. */
export function pathFor(resource: Resource, ref: Partial<ObjectRef> = {}, subresource?: string): string {
  const parts = resource.group === "" ? ["api", resource.version] : ["apis", resource.group, resource.version];
  if (resource.namespaced && ref.namespace !== undefined) parts.push("namespaces", ref.namespace);
  parts.push(resource.plural);
  if (ref.name !== undefined) parts.push(ref.name);
  if (subresource !== undefined) parts.push(subresource);
  return `/${parts.map(encodeURIComponent).join("/")}`;
}
