// Pods on their way out: detached, emptied by the move engine, deleted when they are empty or when their time is over. Pure.
// Not here: who is detached (scale.ts, evacuation.ts).
import type { PodState } from "@wscluster/protocol";
import { type ClusterFacts, connectionsOf, freshValue, isEmpty, type ServerPodFacts } from "../facts.ts";
import type { Action, EventValue } from "../plan.ts";
import type { Dependencies } from "./dependencies.ts";
import { holdOf } from "./holds.ts";
import { drainingSincePatch } from "./pod-patches.ts";

export const DEFAULT_DRAIN_SECONDS = 900;

export type DrainPlan = {
  readonly actions: readonly Action[];
  readonly events: readonly EventValue[];
  readonly isDraining: boolean;
  /** When the next pod's time is over. */
  readonly requeueAfterMs: number | undefined;
};

/**
 * A pod that is not empty at its deadline is deleted all the same: its own drain (SIGTERM) asks the rest once more, and closes
 * with a window whoever cannot move. So no client can hold a pod for ever, and no pod can hold up a node for ever.
 */
export function planDraining(facts: ClusterFacts, dependencies: Dependencies): DrainPlan {
  const draining = facts.pods.filter((pod) => pod.set === "draining" && !pod.deleting);
  const actions: Action[] = [];
  const events: EventValue[] = [];
  let requeueAfterMs: number | undefined;
  // The kill switch and an absent store stop our own deadlines: nothing was asked of the clients meanwhile.
  const isHeld = holdOf(facts, dependencies, "evacuation") !== undefined;
  for (const pod of draining) {
    if (isGone(pod)) {
      actions.push(removal(pod));
      events.push({ reason: "PodRemoved", message: `pod ${pod.name} was empty and is deleted` });
      continue;
    }
    if (pod.drainingSinceMs === undefined) {
      actions.push(drainingSincePatch(pod, facts.nowMs));
      continue;
    }
    const leftMs = drainDeadlineMs(facts, pod.drainingSinceMs) - facts.nowMs;
    if (isHeld && leftMs < drainMs(facts) / 2) {
      // What is stopped is not to blame: its time begins anew, long before the pod's own deadline.
      actions.push(drainingSincePatch(pod, facts.nowMs));
    } else if (leftMs > 0) {
      requeueAfterMs = Math.min(requeueAfterMs ?? Infinity, leftMs);
    } else if (!isHeld) {
      actions.push(removal(pod));
      const count = connectionsOf(pod);
      events.push({
        reason: "DrainDeadlineExceeded",
        message: `pod ${pod.name} is deleted with ${count ?? "an unknown number of"} connections left: they are asked once more and closed with a window`,
      });
    }
  }
  return { actions, events, isDraining: draining.length > 0, requeueAfterMs };
}

export function drainMs(facts: Pick<ClusterFacts, "spec">): number {
  return (facts.spec.disruption?.deadlineSeconds ?? DEFAULT_DRAIN_SECONDS) * 1000;
}

function drainDeadlineMs(facts: Pick<ClusterFacts, "spec">, sinceMs: number): number {
  return sinceMs + drainMs(facts);
}

/** The pod's own deadline is for the day on which nobody keeps ours. */
const OWN_LATER_MS = 60_000;
/** Answers are some seconds old. */
const TOLERANCE_MS = 15_000;

/** The hard deadline that a detached pod is to have, from now on. */
export function ownDeadlineMs(facts: Pick<ClusterFacts, "spec" | "nowMs">, pod: ServerPodFacts): number {
  const sinceMs = pod.drainingSinceMs ?? facts.nowMs;
  return Math.max(1_000, drainDeadlineMs(facts, sinceMs) + OWN_LATER_MS - facts.nowMs);
}

/**
 * Whether a pod that is to leave its set has been told so, with its deadline, and has confirmed it. Before that it stays attached,
 * under its set's PodDisruptionBudget: once it is detached no eviction takes it until it is empty, and an operator that
 * dies right then could not tell it any more that it has to empty itself.
 */
export function knowsThatItLeaves(facts: Pick<ClusterFacts, "spec" | "nowMs">, pod: ServerPodFacts): boolean {
  if (!pod.running) return true;
  const state = freshValue(pod.state);
  return state?.mode === "none" && knowsDeadline(state, ownDeadlineMs(facts, pod));
}

/** The pod knows its deadline well enough; a server that knows no deadlines is not told again and again. */
export function knowsDeadline(state: PodState, deadlineMs: number): boolean {
  const { deadlineInMs } = state;
  if (deadlineInMs === undefined) return true;
  return deadlineInMs !== null && Math.abs(deadlineInMs - deadlineMs) <= TOLERANCE_MS;
}

function isGone(pod: ServerPodFacts): boolean {
  const state = freshValue(pod.state);
  return !pod.running || (state !== undefined && state.sealed && !pod.ready && isEmpty(pod) && state.preparing === 0);
}

function removal({ name, uid }: ServerPodFacts): Action {
  return { kind: "delete", resource: "pods", name, uid };
}
