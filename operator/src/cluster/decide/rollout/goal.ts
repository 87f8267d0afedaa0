// How much of a step's part has moved, and how much is left to do. Pure.
import {
  type ClusterFacts,
  connectionsOf,
  freshValue,
  isEmpty,
  knownConnections,
  type ServerPodFacts,
} from "../../facts.ts";
import { receiptsOf } from "../decision.ts";
import type { PlannedSet } from "../sets.ts";
import { donorsOf } from "./draft.ts";
import { leavingPods, stepsOf } from "./plan-of-steps.ts";

export type Goal = {
  /** Connections that are to leave in this step and have not. */
  readonly left: number;
  /** Of those: on pods that are emptied as a whole. */
  readonly onLeaving: readonly ServerPodFacts[];
  /** Of those: from all old pods alike, by chance. */
  readonly sampled: number;
  /** A pod of which nobody knows what it holds. */
  readonly silent: ServerPodFacts | undefined;
};

/**
 * A connection has left when a receipt says so, or when so much fewer are on the old pods: who hung up and came back on the
 * candidate has taken it over, too, and servers without a shared store have few receipts.
 */
export function goalOf(facts: ClusterFacts, sets: readonly PlannedSet[], candidate: PlannedSet): Goal {
  const { trial } = candidate;
  const old = donorsOf(facts.pods, candidate).filter((pod) => pod.running);
  const silent = old.find((pod) => connectionsOf(pod) === undefined);
  const onLeaving = leavingPods(facts, sets).leaving.filter((pod) => !isEmpty(pod));
  const step = trial === undefined ? undefined : stepsOf(facts.spec)[trial.index];
  if (trial === undefined || step === undefined) return { left: 0, onLeaving: [], sampled: 0, silent };
  const { moved, resumed, cut } = receiptsOf(facts, candidate);
  const gone = moved + resumed + cut;
  const left = knownConnections(old);
  const byReceipts = Math.ceil(((gone + left) * step.movePercent) / 100) - gone;
  const byRest = left - Math.floor((trial.oldConnections * (100 - step.movePercent)) / 100);
  const sampled = Math.max(0, Math.min(byReceipts, byRest));
  return { left: Math.max(sampled, knownConnections(onLeaving)), onLeaving, sampled, silent };
}

/** How many more may be asked now without asking one too many: who is on the way, or was granted a moment ago, counts. */
export function askable(facts: ClusterFacts, candidate: PlannedSet, goal: Goal): number {
  const moving = donorsOf(facts.pods, candidate).reduce((sum, pod) => sum + (freshValue(pod.state)?.moving ?? 0), 0);
  const granted = facts.memory.grants.flatMap((grant) => grant.targets).reduce((sum, target) => sum + target.count, 0);
  return Math.max(0, goal.sampled - moving - granted);
}
