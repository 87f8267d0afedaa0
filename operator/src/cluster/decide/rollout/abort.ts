// Giving a candidate up: everybody goes back to stable, also those of a set that was overtaken before. Pure.
import { hasTraffic, type PlannedSet } from "../sets.ts";
import { patchCommand } from "./commands.ts";
import type { Draft } from "./draft.ts";

export type AbortReason = "RolloutAborted" | "RolledBack" | "ProgressDeadlineExceeded" | "GateFailed";

export function abort(draft: Draft, candidate: PlannedSet, reason: AbortReason, why: string): void {
  const { nowMs } = draft.facts;
  const aborted = reason === "RolledBack" ? undefined : `${reason}:${why}`;
  for (const set of draft.sets) {
    // In this step the time is that of its begin.
    if (set.role === "superseded" && hasTraffic(set)) draft.mark(set, { step: "back", movedAtMs: nowMs });
  }
  const isUsed = hasTraffic(candidate);
  if (isUsed) draft.mark(candidate, { role: "superseded", step: "back", movedAtMs: nowMs, aborted });
  else draft.mark(candidate, { role: "retired", step: "seal", aborted });
  const after = isUsed ? "its connections move back to stable" : "it had no traffic yet and is scaled to zero";
  draft.tell(reason, `attempt ${candidate.attempt} at step ${stepText(candidate)}: ${why}; ${after}`);
}

/** What `rollout.onFailure` says. Where there is no way back, it is waited for. */
export function fail(
  draft: Draft,
  candidate: PlannedSet,
  reason: "ProgressDeadlineExceeded" | "GateFailed",
  why: string,
): void {
  const stable = draft.of("stable");
  if (draft.facts.spec.rollout?.onFailure !== "Pause" && stable !== undefined) {
    abort(draft, candidate, reason, why);
    return;
  }
  draft.paused = "failure";
  const back = patchCommand(draft.facts, { abortedAttempt: candidate.attempt });
  draft.waiting = {
    reason: "RolloutPaused",
    message: `\`rollout.onFailure\` is Pause and attempt ${candidate.attempt} failed: ${why}`,
    sinceMs: draft.facts.nowMs,
    unblock: stable === undefined ? "a corrected specification" : `go back: ${back}`,
  };
}

export function stepText({ step, trial }: Pick<PlannedSet, "step" | "trial">): string {
  return step === "trial" && trial !== undefined ? `${step} ${trial.index + 1} (${trial.phase})` : step;
}
