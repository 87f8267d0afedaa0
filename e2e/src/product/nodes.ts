// What people do to nodes and single pods: cordon, drain, evict. Through kubectl, never with --force.
import { LABELS } from "@wscluster/crds";
import type { ClusterAccess } from "../cluster/access.ts";
import type { Chat } from "./chat.ts";
import type { List, Metadata, PodObject } from "./objects.ts";

export type DrainResult = { readonly isDone: boolean; readonly seconds: number; readonly said: string };

/** Only the cluster's own pods: what else lives on the node (the store of a trial install) is not what is tested. */
export async function drainNode(
  access: ClusterAccess,
  chat: Chat,
  node: string,
  timeoutSeconds: number,
  signal?: AbortSignal,
): Promise<DrainResult> {
  const begin = performance.now();
  const answer = await access.tryKubectl(
    [
      "drain",
      node,
      // A drain of one namespace's cluster only.
      `--pod-selector=${LABELS.cluster}=${chat.name}`,
      "--ignore-daemonsets",
      "--delete-emptydir-data",
      `--timeout=${timeoutSeconds}s`,
    ],
    signal === undefined ? {} : { signal },
  );
  const seconds = Math.round((performance.now() - begin) / 100) / 10;
  return { isDone: answer.status === 0, seconds, said: answer.stderr.trim().split("\n").slice(-3).join(" | ") };
}

export async function cordon(access: ClusterAccess, nodes: readonly string[]): Promise<void> {
  await access.kubectl(["cordon", ...nodes]);
}

export async function uncordon(access: ClusterAccess, nodes: readonly string[]): Promise<void> {
  await access.kubectl(["uncordon", ...nodes]);
}

export async function nodeNames(access: ClusterAccess): Promise<readonly string[]> {
  const text = await access.kubectl(["get", "nodes", "--output=json"]);
  return (JSON.parse(text) as List<{ readonly metadata: Metadata }>).items.map((node) => node.metadata.name);
}

/** The node with most of these pods. */
export function fullestNode(pods: readonly PodObject[], nodes: readonly string[]): string {
  const count = (node: string) => pods.filter((pod) => pod.spec.nodeName === node).length;
  return nodes.toSorted((a, b) => count(b) - count(a))[0] ?? "";
}

/** POST eviction, as a descheduler would: no cordon before it. Throws what the API server says when it refuses. */
export async function evict(chat: Chat, pod: string): Promise<void> {
  const body = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: pod, namespace: chat.namespace } };
  const path = `/api/v1/namespaces/${chat.namespace}/pods/${pod}/eviction`;
  await chat.kubectl(["create", `--raw=${path}`, "--filename=-"], JSON.stringify(body));
}
