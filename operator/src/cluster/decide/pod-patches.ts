// Patches of single pods, each tested on the pod's identity: a reused name must never be hit. Pure.
import { ANNOTATIONS, LABELS } from "@wscluster/crds";
import type { PodMode } from "@wscluster/protocol";
import type { PodFacts } from "../facts.ts";
import type { Action } from "../plan.ts";
import { type ClusterId, ownerReferenceFor } from "./children/labels.ts";
import { timestampOf } from "./children/replica-set.ts";

/** `wscluster.io/set` as a JSON pointer segment (RFC 6901). */
const escaped = (key: string) => key.replaceAll("~", "~0").replaceAll("/", "~1");
const pointer = (label: string) => `/metadata/labels/${escaped(label)}`;

export function trafficPatch(pod: Pick<PodFacts, "name" | "uid" | "traffic">, traffic: PodMode): Action {
  return {
    kind: "patchPod",
    pod: pod.name,
    why: `traffic=${traffic}`,
    operations: [
      { op: "test", path: "/metadata/uid", value: pod.uid },
      { op: "add", path: pointer(LABELS.traffic), value: traffic },
    ],
  };
}

/**
 * Takes one pod out of its ReplicaSet without stopping it. The owner becomes the WebSocketCluster: an orphan would block
 * `kubectl drain`, and would be adopted again.
 */
export function detachPatch(
  cluster: ClusterId,
  pod: Pick<PodFacts, "name" | "uid" | "resourceVersion">,
  nowMs: number,
  leavesFor: PodFacts["leavesFor"] = "scaleDown",
): Action {
  return {
    kind: "patchPod",
    pod: pod.name,
    why: "set=draining",
    operations: [
      { op: "test", path: "/metadata/uid", value: pod.uid },
      { op: "test", path: "/metadata/resourceVersion", value: pod.resourceVersion },
      { op: "replace", path: pointer(LABELS.set), value: "draining" },
      { op: "replace", path: pointer(LABELS.traffic), value: "none" },
      { op: "replace", path: "/metadata/ownerReferences", value: [ownerReferenceFor(cluster)] },
      // Every pod of ours is born with an annotation (server-template.ts), so the map is there.
      drainingSince(nowMs),
      ...(leavesFor === "scaleDown"
        ? []
        : [{ op: "add" as const, path: `/metadata/annotations/${escaped(ANNOTATIONS.leavesFor)}`, value: leavesFor }]),
    ],
  };
}

/** For a pod that was detached without the time: its deadline counts from now on. */
export function drainingSincePatch(pod: Pick<PodFacts, "name" | "uid">, nowMs: number): Action {
  return {
    kind: "patchPod",
    pod: pod.name,
    why: "draining since",
    operations: [{ op: "test", path: "/metadata/uid", value: pod.uid }, drainingSince(nowMs)],
  };
}

function drainingSince(nowMs: number) {
  const path = `/metadata/annotations/${escaped(ANNOTATIONS.drainingSince)}`;
  return { op: "add", path, value: timestampOf(nowMs) } as const;
}
