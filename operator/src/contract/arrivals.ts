// Has nobody arrived at a pod for a while? From counters seen one after another. Pure.
import type { PodState } from "@wscluster/protocol";

export type ArrivalRecord = {
  readonly bootNonce: string;
  readonly unnamed: number;
  /** First and last observation of this very number, wall clock. */
  readonly fromMs: number;
  readonly toMs: number;
};

/** A restarted pod counts from zero again: that is a change, not a standstill. */
export function nextArrivals(
  before: ArrivalRecord | undefined,
  state: Pick<PodState, "bootNonce" | "arrivals">,
  atMs: number,
): ArrivalRecord {
  const { bootNonce, arrivals } = state;
  if (before?.bootNonce === bootNonce && before.unnamed === arrivals.unnamed) return { ...before, toMs: atMs };
  return { bootNonce, unnamed: arrivals.unnamed, fromMs: atMs, toMs: atMs };
}
