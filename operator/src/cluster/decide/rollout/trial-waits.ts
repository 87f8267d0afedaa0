// Why a step of the trial is not over, phase by phase. Pure.
import { arrivalsOf, edgeBehind, isHandedOver } from "../edges.ts";
import { attachedPods, nameOf, type PlannedSet } from "../sets.ts";
import type { Draft } from "./draft.ts";
import { goalOf } from "./goal.ts";
import { candidateSize, leavingPods, oldSets, stepsOf } from "./plan-of-steps.ts";
import { areStragglers } from "./stragglers.ts";
import { behind, gateWait, readyWait, unreachable, type Wait } from "./wait.ts";

export function trialWait(draft: Draft, candidate: PlannedSet, isHeld: boolean): Wait | undefined {
  const { facts } = draft;
  const { trial } = candidate;
  const steps = stepsOf(facts.spec);
  const step = trial === undefined ? undefined : steps[trial.index];
  // The user took steps away while they ran: those that are left are none.
  if (trial === undefined || step === undefined) return undefined;
  const which = `step ${trial.index + 1} of ${steps.length}`;
  switch (trial.phase) {
    case "grow": {
      const { sealed } = leavingPods(facts, draft.sets);
      if (sealed.length > 0) {
        return { reason: "Provisioning", message: `${which}: ${sealed.length} old pods go before new ones come` };
      }
      const oldPods = oldSets(draft.sets).reduce((sum, set) => sum + attachedPods(facts.pods, set).length, 0);
      const wanted = candidateSize(facts.spec, candidate, oldPods) ?? facts.spec.replicas;
      return readyWait(draft, candidate, wanted, "Provisioning");
    }
    case "share": {
      const arrivals = arrivalsOf(facts, draft.sets);
      if (isHandedOver(facts, arrivals)) return undefined;
      const lagging = edgeBehind(facts);
      if (lagging !== undefined) return behind(lagging);
      return {
        reason: "Switching",
        message: `${which}: ${step.sharePercent} % of the new connections are being led to ${nameOf(candidate)}`,
      };
    }
    case "move": {
      const goal = goalOf(facts, draft.sets, candidate);
      // First of all: a new leader has asked nobody yet, and what nobody knows is not nothing left.
      if (goal.silent !== undefined) return unreachable(goal.silent);
      if (goal.left === 0 && goal.onLeaving.length === 0) return undefined;
      if (areStragglers(draft, candidate, goal.left, isHeld)) return undefined;
      return {
        reason: "MovingConnections",
        message: `${which}: ${goal.left} connections are left to be moved until ${step.movePercent} % have`,
      };
    }
    case "pause": {
      const untilMs = trial.sinceMs + step.pauseSeconds * 1000;
      if (facts.nowMs < untilMs) {
        return {
          reason: "StepPause",
          message: `${which}: ${step.sharePercent} % of the new connections and ${step.movePercent} % of the old ones are watched for ${step.pauseSeconds} s`,
          deadlineMs: untilMs,
          then: trial.index + 1 < steps.length ? "the next step" : "all new connections go to the candidate",
          isTimeless: true,
        };
      }
      return gateWait(draft, candidate, `step ${trial.index + 1}`);
    }
  }
}
