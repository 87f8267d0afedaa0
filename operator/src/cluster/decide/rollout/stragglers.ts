// The few that do not move, for whom a rollout neither waits nor is aborted. Pure.
import { freshValue, knownConnections } from "../../facts.ts";
import { attachedPods, type PlannedSet } from "../sets.ts";
import { type Draft, progressKey } from "./draft.ts";

/** So few may refuse for ever without a fault of the candidate: a phone that sleeps, a proxy that allows one connection only. */
const STRAGGLER_PERCENT = 5;
const FEW = 2;

export function isFew(left: number, total: number): boolean {
  return left <= Math.max(FEW, (total * STRAGGLER_PERCENT) / 100);
}

/**
 * What is left are a few that were asked again and again and do not move, with room for them. They stay on the old set until
 * that goes.
 *
 * @param isHeld something stops the moves: nobody was asked meanwhile
 */
export function areStragglers(draft: Draft, candidate: PlannedSet, left: number, isHeld: boolean): boolean {
  const { pods, memory, nowMs } = draft.facts;
  if (isHeld || memory.progress?.of !== progressKey(candidate)) return false;
  if (nowMs - memory.progress.sinceMs < draft.progressDeadlineMs / 2) return false;
  const total = knownConnections(pods);
  const mine = attachedPods(pods, candidate);
  const capacity = mine.reduce((sum, pod) => sum + (freshValue(pod.state)?.capacity ?? 0), 0);
  // In a trial the candidate has to hold them only, not the fleet.
  const needed = candidate.step === "trial" ? knownConnections(mine) + left : total;
  return isFew(left, total) && capacity >= needed;
}
