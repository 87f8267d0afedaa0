// What becomes of the sets that nobody is to take over from any more. Pure.
import { connectionsOf, isEmpty, knownConnections, type ServerPodFacts } from "../../facts.ts";
import { holdOf } from "../holds.ts";
import { nameOf, type PlannedSet } from "../sets.ts";
import type { Draft } from "./draft.ts";
import { isFew } from "./stragglers.ts";

export const DEFAULT_RETAIN_SECONDS = 300;

export function retireOthers(draft: Draft): void {
  const { pods, nowMs, spec } = draft.facts;
  for (const set of draft.sets) {
    if (set.live === undefined) continue;
    const mine = pods.filter((pod) => pod.revision === set.revision && pod.set === "attached" && !pod.deleting);
    if (set.role === "superseded" && set.step === "back" && hasGivenBack(draft, set, mine)) {
      draft.mark(set, { role: "retired", step: "seal", movedAtMs: nowMs });
    } else if (set.role === "retired" && set.step === "retain") {
      const untilMs = (set.movedAtMs ?? nowMs) + (spec.rollout?.retainSeconds ?? DEFAULT_RETAIN_SECONDS) * 1000;
      if (nowMs < untilMs) draft.requeue(untilMs - nowMs);
      // Who is still there will not move by being waited for; who cannot be counted is left alone.
      else if (mine.every((pod) => connectionsOf(pod) !== undefined)) draft.mark(set, { step: "seal" });
    } else if (set.role === "retired" && set.step === "seal" && mine.length === 0 && set.replicas === 0) {
      draft.mark(set, { step: "history" });
      draft.tell("SetRetired", `${nameOf(set)} is at zero`);
    }
  }
}

/** An aborted set is done when nobody is left, or after the progress deadline when a few are left that do not move. */
function hasGivenBack(draft: Draft, set: PlannedSet, mine: readonly ServerPodFacts[]): boolean {
  if (mine.every(isEmpty)) return true;
  const { pods, nowMs } = draft.facts;
  if (holdOf(draft.facts, draft.dependencies, "wayBack") !== undefined || set.movedAtMs === undefined) return false;
  if (nowMs - set.movedAtMs < draft.progressDeadlineMs || mine.some((pod) => connectionsOf(pod) === undefined))
    return false;
  return isFew(knownConnections(mine), knownConnections(pods));
}
