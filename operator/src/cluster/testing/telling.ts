// What the small world measures of a pod, and how it tells a status in one line. Test code only.
import type { WebSocketClusterStatus } from "@wscluster/crds";
import type { PodSignal } from "../../signals/index.ts";
import { record } from "./workloads.ts";

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
