// Why a pod cannot start or stay up, in words that do not change while nothing changes: the kubelet alternates between two
// reasons and counts seconds in its messages, which would rewrite the status for ever. Pure.
import type { Pod } from "../kube/index.ts";

export type PodTrouble = { readonly reason: string; readonly message: string };

const PULL = new Set(["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"]);
/** Ordinary stations of a start. */
const ON_THE_WAY = new Set(["ContainerCreating", "PodInitializing"]);

export function podTroubleOf(pod: Pod): PodTrouble | undefined {
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  for (const status of statuses) {
    const waiting = status.state?.waiting?.reason;
    if (waiting === undefined || ON_THE_WAY.has(waiting)) continue;
    if (PULL.has(waiting)) {
      const reason = waiting === "ImagePullBackOff" ? "ErrImagePull" : waiting;
      return { reason, message: `image ${imageOf(pod, status.name)} of container ${status.name} cannot be pulled` };
    }
    if (waiting === "CrashLoopBackOff") {
      const exit = status.lastState?.terminated;
      const how = exit === undefined ? "" : ` with code ${exit.exitCode} (${exit.reason ?? "Error"})`;
      return { reason: waiting, message: `container ${status.name} keeps exiting${how}` };
    }
    return { reason: waiting, message: `container ${status.name}: ${status.state?.waiting?.message ?? "it waits"}` };
  }
  const scheduled = pod.status?.conditions?.find((condition) => condition.type === "PodScheduled");
  if (scheduled?.status === "False" && scheduled.reason === "Unschedulable") {
    return { reason: "Unschedulable", message: scheduled.message ?? "no node has room" };
  }
  return undefined;
}

function imageOf(pod: Pod, container: string): string {
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  return containers.find((one) => one.name === container)?.image ?? "?";
}
