// Shapes of Kubernetes objects as they are on the wire (JSON), typed from client-node's generated classes.
// Types only: nothing of client-node is loaded by importing this file.
import type {
  CoreV1Event,
  V1ConfigMap,
  V1Deployment,
  V1EndpointSlice,
  V1Lease,
  V1Node,
  V1ResourceQuota,
  V1ObjectMeta,
  V1Pod,
  V1PodDisruptionBudget,
  V1ReplicaSet,
  V1Role,
  V1RoleBinding,
  V1Secret,
  V1Service,
  V1ServiceAccount,
} from "@kubernetes/client-node";

/** A client-node type as JSON has it: dates are strings. */
export type Wire<T> = T extends Date
  ? string
  : T extends readonly (infer U)[]
    ? Wire<U>[]
    : T extends object
      ? { [K in keyof T]: Wire<T[K]> }
      : T;

/** What every object that came from the API server has. */
export type LiveMeta = Wire<V1ObjectMeta> & { name: string; uid: string; resourceVersion: string };

/** An object read from the API server. */
export type KubeObject = { apiVersion: string; kind: string; metadata: LiveMeta };

type Live<T> = Wire<Omit<T, "apiVersion" | "kind" | "metadata">> & KubeObject;

export type Pod = Live<V1Pod>;
export type ReplicaSet = Live<V1ReplicaSet>;
export type Deployment = Live<V1Deployment>;
export type Service = Live<V1Service>;
export type EndpointSlice = Live<V1EndpointSlice>;
export type ConfigMap = Live<V1ConfigMap>;
export type Secret = Live<V1Secret>;
export type ServiceAccount = Live<V1ServiceAccount>;
export type PodDisruptionBudget = Live<V1PodDisruptionBudget>;
export type Role = Live<V1Role>;
export type RoleBinding = Live<V1RoleBinding>;
export type Lease = Live<V1Lease>;
export type KubeEvent = Live<CoreV1Event>;
export type Node = Live<V1Node>;
export type ResourceQuota = Live<V1ResourceQuota>;
/** Custom resources: parse `spec` and `status` with the zod source of their package. */
export type CustomObject = KubeObject & { spec?: unknown; status?: unknown };

/**
 * What we want an object to be: only the fields that we own, in full, every time (server-side apply).
 * Secrets carry `data` (base64): `stringData` is never readable again, so its intent could not be compared.
 */
export type Manifest = {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    ownerReferences?: OwnerReference[];
    uid?: string;
    resourceVersion?: string;
  };
  [field: string]: unknown;
};

export type OwnerReference = {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
};

/** Namespace and name; the namespace is absent for cluster-scoped kinds. */
export type ObjectRef = { namespace?: string | undefined; name: string };

/** `namespace/name`, or `name` for cluster-scoped objects: the key of stores and queues. */
export function keyOf(ref: ObjectRef): string {
  return ref.namespace === undefined || ref.namespace === "" ? ref.name : `${ref.namespace}/${ref.name}`;
}

export function parseKey(key: string): ObjectRef {
  const slash = key.indexOf("/");
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
