// Which pods a ReplicaSet would delete if its replicas were lowered, and so how far they may be lowered. Pure.
// The law: replicas of a set never goes below its pods except by sealed-and-empty, unscheduled or never-started ones.
import { freshValue, type ServerPodFacts, type SetFacts } from "../facts.ts";

/** Holds no socket and takes none, as far as can be proved. */
export function isRemovable(pod: ServerPodFacts): boolean {
  if (pod.node === undefined || !pod.running) return true;
  const state = freshValue(pod.state);
  return state !== undefined && state.sealed && state.connections === 0 && state.preparing === 0 && !pod.ready;
}

/**
 * Rank in the ReplicaSet controller's order of deletion (kubernetes: pkg/controller/controller_utils.go,
 * ActivePodsWithRanks): unassigned, pending, unknown, running and not ready, ready. Lower goes first.
 */
export function victimRank(pod: Pick<ServerPodFacts, "node" | "phase" | "ready">): number {
  const unassigned = pod.node === undefined ? 0 : 1;
  const phase = pod.phase === "Pending" ? 0 : pod.phase === "Unknown" ? 1 : 2;
  return unassigned * 100 + phase * 10 + (pod.ready ? 1 : 0);
}

/**
 * How many pods the controller can be told to take so that only removable ones go. Inside one rank its choice is not ours
 * (age, colocation), so a rank counts only when all of it is removable.
 */
export function removableCount(attached: readonly ServerPodFacts[]): number {
  const ranks = [...new Set(attached.map(victimRank))].toSorted((a, b) => a - b);
  let count = 0;
  for (const rank of ranks) {
    const pods = attached.filter((pod) => victimRank(pod) === rank);
    if (!pods.every(isRemovable)) break;
    count += pods.length;
  }
  return count;
}

/** Lowest value that spec.replicas may be given now. */
export function lowestReplicas(
  set: Pick<SetFacts, "replicas" | "countedPods">,
  attached: readonly ServerPodFacts[],
): number {
  // Pods that its controller has made and we have not seen might be ready by now: wait for the cache.
  if (set.countedPods !== attached.length) return set.replicas;
  return Math.min(set.replicas, attached.length - removableCount(attached));
}

/**
 * The law, asked again right before a write: undefined when lowering to `replicas` can only take removable pods.
 *
 * @param detached uids that were taken out of the set earlier in the same pass
 */
export function lawViolation(
  set: Pick<SetFacts, "name" | "replicas">,
  pods: readonly ServerPodFacts[],
  replicas: number,
  detached: ReadonlySet<string>,
): string | undefined {
  if (replicas >= set.replicas) return undefined;
  const staying = pods.filter((pod) => !detached.has(pod.uid));
  const lowest = staying.length - removableCount(staying);
  if (replicas >= lowest) return undefined;
  return `${set.name} may not go from ${set.replicas} to ${replicas}: ${lowest} of its pods may hold connections`;
}
