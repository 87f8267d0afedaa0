// One pass of the candidate: aborted, paused, judged, waiting, or one step further. Pure.
import { attachedPods, type PlannedSet } from "../sets.ts";
import { isEmpty } from "../../facts.ts";
import { verdictAt } from "../gate.ts";
import { type Hold, holdOf, waitFor, windowHold } from "../holds.ts";
import { abort, fail } from "./abort.ts";
import { patchCommand } from "./commands.ts";
import { donorsOf, type Draft, progressKey } from "./draft.ts";
import { promote, takeStep } from "./steps.ts";
import { waitingOf } from "./waits.ts";

export function advanceCandidate(draft: Draft): void {
  const candidate = draft.of("candidate");
  if (candidate === undefined || candidate.live === undefined) return;
  const { facts } = draft;
  const { spec, nowMs } = facts;
  const stable = draft.of("stable");
  if (stable !== undefined && spec.rollout?.abortedAttempt === candidate.attempt) {
    abort(draft, candidate, "RolloutAborted", "`rollout.abortedAttempt` names it");
    return;
  }
  if (candidate.replicas === 0 && donorsOf(facts.pods, candidate).every(isEmpty)) {
    // Nobody is wanted and nobody is there: there is nothing to lead or to move.
    promote(draft, candidate);
    return;
  }
  if (spec.rollout?.paused === true) {
    draft.paused = "user";
    draft.waiting = {
      reason: "RolloutPaused",
      message: `attempt ${candidate.attempt}: \`rollout.paused\` is set; everything stays as it is`,
      sinceMs: nowMs,
      unblock: patchCommand(facts, { paused: false }),
    };
    return;
  }
  const failure = failureOf(draft, candidate);
  if (failure !== undefined) {
    fail(draft, candidate, "GateFailed", failure);
    return;
  }
  const waiting = waitingOf(draft, candidate, heldReason(draft, candidate) !== undefined);
  const hold = waiting === undefined && candidate.step === "verify" ? windowHold(facts) : undefined;
  if (hold !== undefined) {
    draft.waiting = { ...waitFor(hold), sinceMs: nowMs };
    return;
  }
  if (waiting === undefined) {
    takeStep(draft, candidate);
    return;
  }
  const held = heldReason(draft, candidate);
  if (held !== undefined) {
    draft.waiting = { ...waiting, sinceMs: nowMs, ...waitFor(held) };
    return;
  }
  const { isTimeless, ...wait } = waiting;
  const sinceMs = progressSince(draft, candidate);
  if (isTimeless === true) {
    draft.waiting = { ...wait, sinceMs };
    if (wait.deadlineMs !== undefined) draft.requeue(wait.deadlineMs - nowMs);
    return;
  }
  const deadlineMs = sinceMs + draft.progressDeadlineMs;
  if (stable !== undefined && nowMs >= deadlineMs) {
    fail(
      draft,
      candidate,
      "ProgressDeadlineExceeded",
      `no progress for ${draft.progressDeadlineMs / 1000} s: ${wait.message}`,
    );
    return;
  }
  const then =
    spec.rollout?.onFailure === "Pause"
      ? "the attempt is paused until somebody decides"
      : "the attempt is aborted and the stable set keeps serving";
  draft.waiting = { ...wait, sinceMs, ...(stable === undefined ? {} : { deadlineMs, then }) };
  if (stable !== undefined) draft.requeue(deadlineMs - nowMs);
}

/** Why the gate says no, where the candidate stands at one. */
function failureOf(draft: Draft, candidate: PlannedSet): string | undefined {
  const at = draft.facts.gate?.at;
  // While the store is away nothing that is measured says anything about the candidate.
  if (at === undefined || draft.isFrozen) return undefined;
  const verdict = verdictAt(draft.facts.gate, candidate.attempt, at.point);
  return verdict.kind === "fail" ? `${at.point}: ${verdict.why}` : undefined;
}

/** What stops the candidate from getting on, of that which is nobody's fault: it stops the time, too. */
function heldReason(draft: Draft, { step, trial }: PlannedSet): Hold | undefined {
  if (step === "provision") return undefined;
  // Pods that cannot be asked are a fault with a deadline, a store that is known to be away is not.
  const dependencies = { state: draft.isFrozen ? "down" : "ok" } as const;
  if (step === "move" || (step === "trial" && trial?.phase === "move")) {
    return holdOf(draft.facts, dependencies, "voluntary");
  }
  return draft.isFrozen ? holdOf(draft.facts, dependencies, "evacuation") : undefined;
}

function progressSince({ facts }: Draft, candidate: PlannedSet): number {
  const { pods, memory, nowMs } = facts;
  if (candidate.step === "provision") {
    // Derivable, so that a restart of the operator does not give a broken image more time.
    const ready = attachedPods(pods, candidate).flatMap((pod) => (pod.ready ? [pod.readySinceMs ?? 0] : []));
    return Math.max(candidate.startedAtMs, ...ready);
  }
  return memory.progress?.of === progressKey(candidate) ? memory.progress.sinceMs : nowMs;
}
