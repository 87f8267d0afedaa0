// The server pods of a cluster with what they say of themselves, asked through the API server: the user's machine reaches no pod.
// Not here: the story of the cluster (status.ts).
import { LABELS, PORTS } from "@wscluster/crds";
import { CONTRACT_PATHS, podKey, type PodState } from "@wscluster/protocol";
import { parsePodState } from "../contract/parse-state.ts";
import { type KubeApi, type Pod, resources } from "../kube/index.ts";
import { tableLines } from "./answers.ts";

export type PodRow = {
  readonly pod: string;
  readonly revision: string;
  readonly set: string;
  readonly traffic: string;
  readonly ready: boolean;
  readonly node: string;
  /** What it says of itself, or why nobody knows. */
  readonly state: Pick<PodState, "connections" | "moving" | "pressure" | "sealed" | "mode"> | undefined;
  readonly unknown: string | undefined;
};

export async function readPods(api: KubeApi, namespace: string, name: string): Promise<PodRow[]> {
  const labelSelector = `${LABELS.cluster}=${name},${LABELS.component}=server`;
  const { items } = await api.list(resources.pods, { namespace, labelSelector });
  const rows = await Promise.all(items.map((pod) => rowOf(api, pod)));
  return rows.toSorted((a, b) => (a.pod < b.pod ? -1 : 1));
}

async function rowOf(api: KubeApi, pod: Pod): Promise<PodRow> {
  const labels = pod.metadata.labels ?? {};
  const known = await stateOf(api, pod);
  return {
    pod: pod.metadata.name,
    revision: labels[LABELS.revision] ?? "-",
    set: labels[LABELS.set] ?? "-",
    traffic: labels[LABELS.traffic] ?? "-",
    ready: pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false,
    node: pod.spec?.nodeName ?? "-",
    state: typeof known === "string" ? undefined : known,
    unknown: typeof known === "string" ? known : undefined,
  };
}

async function stateOf(api: KubeApi, { metadata, spec, status }: Pod): Promise<PodState | string> {
  if (status?.phase !== "Running") return status?.phase ?? "Pending";
  const ports = spec?.containers?.flatMap((container) => container.ports ?? []) ?? [];
  const port = ports.find((one) => one.name === "admin")?.containerPort ?? PORTS.serverAdmin;
  const path = `/api/v1/namespaces/${metadata.namespace ?? ""}/pods/${metadata.name}:${port}/proxy${CONTRACT_PATHS.state}`;
  try {
    const parsed = parsePodState(JSON.parse(await api.getRaw(path, { timeoutMs: 5_000 })), podKey(metadata.uid));
    return parsed.ok ? parsed.value : parsed.why;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export function podLines(rows: readonly PodRow[]): string[] {
  if (rows.length === 0) return [];
  const titles = ["POD", "REVISION", "SET", "TRAFFIC", "READY", "CONNECTIONS", "MOVING", "PRESSURE", "NODE"];
  const cells = rows.map(({ pod, revision, set, traffic, ready, node, state }) => [
    pod,
    revision,
    set,
    state?.sealed === true ? `${traffic}, sealed` : traffic,
    ready ? "yes" : "no",
    // A number would be taken for the truth.
    state === undefined ? "unknown" : String(state.connections),
    state === undefined ? "-" : String(state.moving),
    state === undefined ? "-" : state.pressure.toFixed(2),
    node,
  ]);
  const why = rows.flatMap(({ pod, unknown }) => (unknown === undefined ? [] : [`${pod}: ${unknown}`]));
  return [...tableLines([titles, ...cells]), ...why];
}
