// What the small world measures of a pod, and how it tells a status in one line. Test code only.
import type { Fleet } from "./fleet.ts";
import type { ObjectTable } from "./objects.ts";
import { ANNOTATIONS, LABELS, type WebSocketClusterStatus } from "@wscluster/crds";
import type { PodSignal } from "../../signals/index.ts";
import { podViews, record } from "./workloads.ts";

/** One good scrape; a pod's load is its connections. */
export function signalFor(connections: number, atMs: number): PodSignal {
  return {
    reading: {
      boot: "1",
      connections,
      memoryBytes: undefined,
      lagSeconds: 0,
      cpuSecondsTotal: undefined,
      messagesTotal: undefined,
      publishesTotal: undefined,
      publishSecondsTotal: undefined,
      partitions: undefined,
      partitionMessagesTotal: undefined,
      channels: undefined,
    },
    atMs,
    rates: undefined,
    failures: 0,
    lastFailure: undefined,
  };
}

export function conditionText(status: WebSocketClusterStatus | undefined): string {
  const parts = (status?.conditions ?? [])
    .filter(
      ({ type, status: value, reason }) =>
        type === "Ready" ||
        type === "Progressing" ||
        type === "DependenciesReady" ||
        type === "Balanced" ||
        type === "Autoscaling" ||
        // Told only where it tells something of its own.
        (type === "MovesAllowed" && value === "False" && reason !== "DependencyFreeze"),
    )
    .map(({ type, status: value, reason }) => `${type}=${value}(${reason})`);
  const progressing = status?.conditions?.find(({ type }) => type === "Progressing");
  const told = ["MovingConnections", "GivingBack", "ScalingDown"].includes(progressing?.reason ?? "")
    ? ""
    : progressing?.message;
  return `${parts.join(" ")}${told === undefined || told === "" ? "" : `: ${told}`}`;
}

export function parseOwners(
  value: unknown,
): { apiVersion: string; kind: string; name: string; uid: string; controller: boolean }[] {
  return Array.isArray(value)
    ? value.map((owner: unknown) => {
        const { apiVersion, kind, name, uid } = record(owner);
        return {
          apiVersion: String(apiVersion),
          kind: String(kind),
          name: String(name),
          uid: String(uid),
          controller: true,
        };
      })
    : [];
}

/** The sets in one line: of the servers each, of the edge when there is more than one. */
export function setsText(table: ObjectTable, fleet: Fleet): string {
  const pods = podViews(table);
  const lines = table
    .list("ReplicaSet")
    .filter((set) => set.metadata.labels?.[LABELS.component] === "server")
    .map((set) => {
      const annotations = set.metadata.annotations ?? {};
      const revision = set.metadata.labels?.[LABELS.revision];
      const mine = pods.filter((pod) => pod.labels[LABELS.revision] === revision);
      const held = mine.reduce((sum, pod) => sum + (fleet.servers.get(pod.uid)?.connections ?? 0), 0);
      const draining = mine.filter((pod) => pod.labels[LABELS.set] === "draining").length;
      const traffic = ["active", "none", "preview"]
        .filter((mode) => mine.some((pod) => pod.labels[LABELS.traffic] === mode))
        .join("+");
      const marks = `${annotations[ANNOTATIONS.role]}/${annotations[ANNOTATIONS.step]}`;
      const ready = mine.filter((pod) => pod.ready).length;
      const gone = draining === 0 ? "" : ` draining=${draining}`;
      return `${annotations[ANNOTATIONS.color]} ${annotations[ANNOTATIONS.image]} ${marks} pods=${ready}/${mine.length} traffic=${traffic || "-"} connections=${held}${gone}`;
    })
    .toSorted();
  const edges = table.list("ReplicaSet").filter((set) => set.metadata.labels?.[LABELS.component] === "edge");
  // One edge revision is not worth a word.
  if (edges.length > 1) {
    for (const set of edges) {
      const mine = pods.filter((pod) => pod.owner === set.metadata.uid);
      const through = mine.reduce((sum, pod) => sum + (fleet.edgeStateOf(pod.uid)?.connections ?? 0), 0);
      const traffic = set.metadata.labels?.[LABELS.traffic];
      lines.push(
        `edge ${set.metadata.annotations?.[ANNOTATIONS.image]} pods=${mine.length} traffic=${traffic} connections=${through}`,
      );
    }
  }
  return lines.join(" | ");
}
