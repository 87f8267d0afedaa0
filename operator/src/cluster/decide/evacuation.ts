// Pods whose node or whose own time is somebody else's decision. Pure.
// Strong evidence (a node that is being removed, a pod that is being deleted) moves at once, at the emergency pace.
// Weak evidence (a cordon): nothing new goes there, and pods leave few at a time, each when its replacement is ready.
import { type ClusterFacts, type PodFacts, type ServerPodFacts } from "../facts.ts";
import { attachedPods, type PlannedSet } from "./sets.ts";

const DEFAULT_CORDON_BATCH = 1;

function nodeOf(facts: Pick<ClusterFacts, "nodes" | "spec">, pod: Pick<PodFacts, "node">) {
  if (facts.spec.disruption?.nodeDrain === false || pod.node === undefined) return undefined;
  return facts.nodes?.get(pod.node);
}

export function isCordoned(facts: Pick<ClusterFacts, "nodes" | "spec">, pod: Pick<PodFacts, "node">): boolean {
  const node = nodeOf(facts, pod);
  return node !== undefined && (node.cordoned || node.doomed !== undefined);
}

/** Why somebody else will end this pod soon, or undefined. */
export function doomOf(facts: Pick<ClusterFacts, "nodes" | "spec">, pod: PodFacts): string | undefined {
  if (pod.deleting) return "the pod is being deleted";
  const doomed = nodeOf(facts, pod)?.doomed;
  return doomed === undefined ? undefined : `node ${pod.node}: ${doomed}`;
}

/** The last part of the time that somebody else gave the pod: what moves now moves, the rest is closed. */
const LAST_PART = 1 / 4;

export function isInLastPart(facts: Pick<ClusterFacts, "nowMs">, { end }: Pick<PodFacts, "end">): boolean {
  return end !== undefined && facts.nowMs >= end.atMs - end.graceMs * LAST_PART;
}

/** Leaves because of its node or its own end, not because fewer pods are wanted. */
export function isEvacuated(facts: Pick<ClusterFacts, "nodes" | "spec">, pod: PodFacts): boolean {
  return doomOf(facts, pod) !== undefined || (pod.set === "draining" && isCordoned(facts, pod));
}

/**
 * Pods of doomed nodes that leave their set now, all at once: the set makes replacements elsewhere. One ready pod that is not
 * doomed must stay; without one the doomed go on serving until their own drains, and new connections still find somebody.
 */
export function doomedPods(facts: ClusterFacts, taker: PlannedSet): ServerPodFacts[] {
  const attached = attachedPods(facts.pods, taker);
  const staying = attached.filter((pod) => pod.ready && !isCordoned(facts, pod));
  if (staying.length === 0) return [];
  return attached.filter((pod) => pod.running && doomOf(facts, pod) !== undefined);
}

/**
 * By how many pods the set is to be larger than wanted while pods leave cordoned nodes. Where no node is left to go to, it
 * is not: then an eviction and the pod's own drain do the work, and nothing may stand in their way.
 */
export function cordonSurge(facts: ClusterFacts, taker: PlannedSet): number {
  const leaving = attachedPods(facts.pods, taker).filter((pod) => isCordoned(facts, pod)).length;
  const hasRoom = [...(facts.nodes?.values() ?? [])].some((node) => !node.cordoned && node.doomed === undefined);
  if (leaving === 0 || !hasRoom) return 0;
  const batch = facts.spec.disruption?.cordonBatch ?? DEFAULT_CORDON_BATCH;
  const underWay = facts.pods.filter(
    (pod) => pod.set === "draining" && !pod.deleting && isCordoned(facts, pod) && pod.running,
  ).length;
  return Math.min(leaving, Math.max(0, batch - underWay));
}
