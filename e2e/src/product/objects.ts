// The parts of Kubernetes objects that runs look at, as kubectl prints them. Types only.
import type { WebSocketClusterSpec, WebSocketClusterStatus } from "@wscluster/crds";

export type Metadata = {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly generation?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly deletionTimestamp?: string;
};

export type PodObject = {
  readonly metadata: Metadata;
  readonly spec: { readonly nodeName?: string; readonly containers: readonly { readonly image: string }[] };
  readonly status: {
    readonly phase: string;
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly { readonly name: string; readonly restartCount: number }[];
  };
};

export type ClusterObject = {
  readonly metadata: Metadata;
  readonly spec: WebSocketClusterSpec;
  readonly status?: WebSocketClusterStatus;
};

export type EventObject = {
  readonly type: string;
  readonly reason: string;
  readonly message?: string;
  readonly note?: string;
  readonly involvedObject?: { readonly kind: string; readonly name: string };
};

export type EndpointSlice = {
  readonly endpoints?: readonly {
    readonly addresses: readonly string[];
    readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean };
  }[];
};

export type List<T> = { readonly items: readonly T[] };

export function isReady(pod: PodObject): boolean {
  return (
    pod.metadata.deletionTimestamp === undefined &&
    (pod.status.conditions ?? []).some((condition) => condition.type === "Ready" && condition.status === "True")
  );
}

export function restartsOf(pod: PodObject): number {
  return (pod.status.containerStatuses ?? []).reduce((sum, status) => sum + status.restartCount, 0);
}
