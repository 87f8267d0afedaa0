// What a plan is made from, and what "inside the band" means. Pure.
import type { Slice } from "./load.ts";

export type PlanPod = {
  readonly key: string;
  /** In connections of the mean weight. */
  readonly load: number;
  readonly connections: number;
  /** Connections that it may still take: capacity less headroom less what it holds. */
  readonly room: number;
  /** False: unknown, too young or going. */
  readonly mayGive: boolean;
  readonly mayTake: boolean;
  readonly slices: readonly Slice[];
};

/**
 * Which connections go first. `fewest`: the heaviest, so that as few as possible move. `typical`: those nearest to the mean
 * weight; more move, but a pod that was empty then holds as many as the others, so that an edge that equalises counts does
 * not undo the plan with newcomers. A hot partition is only spread by `fewest`.
 */
export type Taking = "fewest" | "typical";

export type PlanFacts = {
  /** All pods of which the load is known and that stay. */
  readonly pods: readonly PlanPod[];
  readonly bandPercent: number;
  /** Most connections to move. */
  readonly maxMoves: number;
  /** Default `fewest`. */
  readonly taking?: Taking;
};

export type Band = { readonly mean: number; readonly low: number; readonly high: number };

/** Rounding of sums must not turn "just inside" into "just outside". */
export const TINY = 1e-9;

/** Distance of the farthest pod from the mean, percent of the mean; 0 without load. */
export function imbalancePercentOf(loads: readonly number[]): number {
  if (loads.length === 0) return 0;
  const sorted = loads.toSorted((a, b) => a - b);
  const mean = sorted.reduce((sum, load) => sum + load, 0) / sorted.length;
  if (!(mean > 0)) return 0;
  return (100 * Math.max((sorted.at(-1) ?? 0) - mean, mean - (sorted[0] ?? 0))) / mean;
}

/** Never so narrow that no whole connection fits: a mean of 3.4 needs both 3 and 4. */
export function bandFor(pods: readonly PlanPod[], bandPercent: number): Band {
  const ordered = pods.toSorted(byKey);
  const load = ordered.reduce((sum, pod) => sum + pod.load, 0);
  const connections = ordered.reduce((sum, pod) => sum + pod.connections, 0);
  const mean = ordered.length === 0 ? 0 : load / ordered.length;
  const weight = connections > 0 ? load / connections : 1;
  if (!(weight > 0)) return { mean, low: 0, high: mean };
  const inConnections = mean / weight;
  return {
    mean,
    low: Math.min(mean * (1 - bandPercent / 100), weight * Math.floor(inConnections + TINY)),
    high: Math.max(mean * (1 + bandPercent / 100), weight * Math.ceil(inConnections - TINY)),
  };
}

export function byKey(a: { readonly key: string }, b: { readonly key: string }): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
