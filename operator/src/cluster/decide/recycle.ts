// Pods that are older than the user wants: replaced one after another, while nothing else is going on. Pure.
// The replacement comes first and serves before the old one leaves, as with a cordoned node; the lowest rank of all moves.
import { type ClusterFacts, connectionsOf, type ServerPodFacts } from "../facts.ts";
import type { EventValue } from "../plan.ts";
import type { Dependencies } from "./dependencies.ts";
import { holdOf } from "./holds.ts";
import { attachedPods, type PlannedSet } from "./sets.ts";

/** When the next pod of the set that takes new connections is too old; undefined where pods may grow old. */
export function nextRecycleMs(facts: ClusterFacts, taker: PlannedSet | undefined): number | undefined {
  const afterSeconds = facts.spec.moves?.recycleAfterSeconds;
  if (afterSeconds === undefined || taker === undefined) return undefined;
  const times = attachedPods(facts.pods, taker).map((pod) => pod.createdAtMs + afterSeconds * 1_000);
  const later = times.filter((timeMs) => timeMs > facts.nowMs);
  return later.length === 0 ? undefined : Math.min(...later);
}

export function oldestPod(facts: ClusterFacts, attached: readonly ServerPodFacts[]): ServerPodFacts | undefined {
  const afterSeconds = facts.spec.moves?.recycleAfterSeconds;
  if (afterSeconds === undefined) return undefined;
  const bornBeforeMs = facts.nowMs - afterSeconds * 1_000;
  return attached
    .filter((pod) => pod.createdAtMs <= bornBeforeMs)
    .toSorted((a, b) => a.createdAtMs - b.createdAtMs || (a.key < b.key ? -1 : 1))[0];
}

/** One pod more while an old one is to leave; none while another pod is on its way out or may not be. */
export function recycleSurge(facts: ClusterFacts, taker: PlannedSet, dependencies: Dependencies): number {
  const attached = attachedPods(facts.pods, taker);
  if (oldestPod(facts, attached) === undefined || attached.length < facts.spec.replicas) return 0;
  if (facts.pods.some((pod) => pod.set === "draining" || pod.deleting)) return 0;
  return holdOf(facts, dependencies, "voluntary") === undefined ? 1 : 0;
}

export function recycleEvent(facts: ClusterFacts, pod: ServerPodFacts): EventValue {
  const ageHours = Math.floor((facts.nowMs - pod.createdAtMs) / 3_600_000);
  return {
    reason: "Recycling",
    message: `pod ${pod.name} is ${ageHours} h old and leaves; ${connectionsOf(pod) ?? 0} connections move away first`,
  };
}
