// The steps of a candidate, each taken when nothing is waited for any more. Pure.
import { knownConnections, type TrialMarks } from "../../facts.ts";
import { receiptsOf } from "../decision.ts";
import { nameOf, type PlannedSet } from "../sets.ts";
import { donorsOf, type Draft } from "./draft.ts";
import { oldSets, stepsOf } from "./plan-of-steps.ts";

export function takeStep(draft: Draft, candidate: PlannedSet): void {
  const { facts } = draft;
  switch (candidate.step) {
    case "provision":
      draft.mark(candidate, { step: "verify" });
      break;
    case "verify":
      if (facts.spec.rollout?.promotion === "Manual") {
        draft.mark(candidate, { step: "approve" });
        draft.tell("AwaitingApproval", `attempt ${candidate.attempt}: ${candidate.replicas} pods verified`);
      } else enterTraffic(draft, candidate);
      break;
    case "approve":
      draft.tell("RolloutApproved", `attempt ${candidate.attempt} goes on`);
      enterTraffic(draft, candidate);
      break;
    case "trial":
      advanceTrial(draft, candidate);
      break;
    case "grow":
      enterSwitch(draft, candidate);
      break;
    case "switch":
      draft.mark(candidate, { step: "settle", switchedAtMs: facts.nowMs });
      draft.tell(
        "TrafficSwitched",
        `attempt ${candidate.attempt}: every live edge leads new connections to ${nameOf(candidate)} only`,
      );
      break;
    case "settle": {
      const left = knownConnections(donorsOf(facts.pods, candidate));
      draft.mark(candidate, { step: "move" });
      draft.tell(
        "MovingConnections",
        `attempt ${candidate.attempt}: arrivals have stopped; ${left} connections move to ${nameOf(candidate)}`,
      );
      break;
    }
    case "move":
      promote(draft, candidate);
      break;
    case "serve":
    case "back":
    case "retain":
    case "seal":
    case "history":
      break;
    default:
      assertNever(candidate.step);
  }
}

/** Verified, and approved where somebody has to: by steps, or at once. */
function enterTraffic(draft: Draft, candidate: PlannedSet): void {
  const { facts } = draft;
  const { nowMs, spec } = facts;
  if (stepsOf(spec).length > 0) {
    const old = oldSets(draft.sets);
    const trial: TrialMarks = {
      index: 0,
      phase: "grow",
      sinceMs: nowMs,
      judgedFromMs: nowMs,
      wantedPods: spec.replicas,
      oldPods: old.reduce((sum, set) => sum + (set.live?.replicas ?? 0), 0),
      oldConnections: knownConnections(donorsOf(facts.pods, candidate)),
    };
    draft.mark(candidate, { step: "trial", trial });
    tellStep(draft, candidate, 0);
    return;
  }
  if (candidate.replicas < spec.replicas) draft.mark(candidate, { step: "grow" });
  else enterSwitch(draft, candidate);
}

function enterSwitch(draft: Draft, candidate: PlannedSet): void {
  draft.mark(candidate, { step: "switch" });
  draft.tell(
    "TrafficSwitching",
    `attempt ${candidate.attempt}: ${candidate.replicas} pods verified, new connections go to ${nameOf(candidate)}`,
  );
}

function advanceTrial(draft: Draft, candidate: PlannedSet): void {
  const { trial } = candidate;
  const { nowMs, spec } = draft.facts;
  if (trial === undefined) return enterTraffic(draft, candidate);
  const steps = stepsOf(spec);
  const to = (change: Partial<TrialMarks>) => draft.mark(candidate, { trial: { ...trial, sinceMs: nowMs, ...change } });
  if (trial.index >= steps.length) return void draft.mark(candidate, { step: "grow" });
  switch (trial.phase) {
    case "grow":
      to({ phase: "share" });
      break;
    case "share":
      to({ phase: "move", judgedFromMs: nowMs });
      break;
    case "move":
      to({ phase: "pause" });
      break;
    case "pause":
      draft.tell("StepPassed", `attempt ${candidate.attempt}: step ${trial.index + 1} of ${steps.length}`);
      if (trial.index + 1 < steps.length) {
        to({ index: trial.index + 1, phase: "grow" });
        tellStep(draft, candidate, trial.index + 1);
      } else draft.mark(candidate, { step: "grow" });
      break;
    default:
      assertNever(trial.phase);
  }
}

function tellStep(draft: Draft, candidate: PlannedSet, index: number): void {
  const steps = stepsOf(draft.facts.spec);
  const step = steps[index];
  if (step === undefined) return;
  draft.tell(
    "StepStarted",
    `attempt ${candidate.attempt}: step ${index + 1} of ${steps.length}: ${step.sharePercent} % of the new connections go to ${nameOf(candidate)}, ${step.movePercent} % of the old ones move`,
  );
}

export function promote(draft: Draft, candidate: PlannedSet): void {
  const { facts } = draft;
  const { nowMs } = facts;
  const left = knownConnections(donorsOf(facts.pods, candidate));
  const { moved, resumed, cut } = receiptsOf(facts, candidate);
  // Old stable first: a crash in between leaves a candidate alone, which this same step completes.
  for (const set of draft.sets) {
    if (set.role === "stable") draft.mark(set, { role: "retired", step: "retain", movedAtMs: nowMs });
    if (set.role === "superseded") draft.mark(set, { role: "retired", step: "seal", movedAtMs: nowMs });
  }
  draft.mark(candidate, { role: "stable", step: "serve", movedAtMs: nowMs, trial: undefined });
  draft.tell(
    "RolloutComplete",
    left === 0
      ? `attempt ${candidate.attempt}: all connections are on ${nameOf(candidate)}: ${moved} moved, ${resumed} resumed, ${cut} closed with a window`
      : `attempt ${candidate.attempt}: ${nameOf(candidate)} has taken over: ${moved} moved, ${resumed} resumed, ${cut} closed with a window; ${left} do not move and stay on the old pods until these are retired`,
  );
}

function assertNever(value: never): never {
  throw new Error(`cannot take step ${String(value)}: it is not known to this version`);
}
