// Why a candidate cannot go to its next step yet, or undefined when it can. Pure.
import { connectionsOf, freshValue, isEmpty, knownConnections } from "../../facts.ts";
import { arrivalsOf, edgeBehind, isHandedOver } from "../edges.ts";
import { nameOf, type PlannedSet } from "../sets.ts";
import { NOT_THIS_ATTEMPT, patchCommand } from "./commands.ts";
import { donorsOf, type Draft } from "./draft.ts";
import { areStragglers } from "./stragglers.ts";
import { trialWait } from "./trial-waits.ts";
import { behind, gateWait, podsWait, readyWait, unreachable, type Wait } from "./wait.ts";

/** Two observations at least this far apart without a rise mean: nobody arrives any more. */
export const SETTLE_MS = 2_000;

export function waitingOf(draft: Draft, candidate: PlannedSet, isHeld: boolean): Wait | undefined {
  const { facts } = draft;
  switch (candidate.step) {
    case "provision":
      return podsWait(draft, candidate, candidate.replicas, "Provisioning");
    case "verify": {
      if (draft.isFrozen) return FROZEN;
      const wait = readyWait(draft, candidate, candidate.replicas, "Verifying");
      return wait ?? gateWait(draft, candidate, "verify");
    }
    case "approve":
      return approvalWait(draft, candidate);
    case "trial":
      return draft.isFrozen ? FROZEN : trialWait(draft, candidate, isHeld);
    case "grow": {
      const wanted = Math.max(facts.spec.replicas, candidate.trial?.wantedPods ?? 0);
      return readyWait(draft, candidate, wanted, "Provisioning");
    }
    case "switch": {
      if (isHandedOver(facts, arrivalsOf(facts, draft.sets))) return undefined;
      const lagging = edgeBehind(facts);
      return lagging === undefined
        ? { reason: "Switching", message: `new connections are being led to ${nameOf(candidate)}` }
        : behind(lagging);
    }
    case "settle":
      return unsettled(draft, candidate);
    case "move": {
      const holding = donorsOf(facts.pods, candidate).filter((pod) => !isEmpty(pod));
      if (holding.length === 0) return undefined;
      const silent = holding.find((pod) => connectionsOf(pod) === undefined);
      if (silent !== undefined) return unreachable(silent);
      const count = knownConnections(holding);
      if (areStragglers(draft, candidate, count, isHeld)) return undefined;
      return { reason: "MovingConnections", message: `${count} connections are left on ${holding.length} pods` };
    }
    case "serve":
    case "back":
    case "retain":
    case "seal":
    case "history":
      return undefined;
    default:
      return assertNever(candidate.step);
  }
}

const FROZEN: Wait = { reason: "DependencyFreeze", message: "the store does not answer to a majority of the pods" };

function approvalWait({ facts }: Draft, candidate: PlannedSet): Wait | undefined {
  const { promotion, approvedAttempt } = facts.spec.rollout ?? {};
  if (promotion !== "Manual" || approvedAttempt === candidate.attempt) return undefined;
  const stale =
    approvedAttempt === undefined || approvedAttempt === ""
      ? ""
      : `; \`rollout.approvedAttempt\` names ${approvedAttempt}, ${NOT_THIS_ATTEMPT}`;
  return {
    reason: "AwaitingApproval",
    message: `attempt ${candidate.attempt} is verified on ${candidate.replicas} pods and has no traffic; Service ${facts.cluster.name}-preview leads to it${stale}`,
    unblock: patchCommand(facts, { approvedAttempt: candidate.attempt }),
    isTimeless: true,
  };
}

function unsettled(draft: Draft, candidate: PlannedSet): Wait | undefined {
  const switchedAtMs = candidate.switchedAtMs ?? candidate.startedAtMs;
  for (const pod of donorsOf(draft.facts.pods, candidate)) {
    if (!pod.running) continue;
    const state = freshValue(pod.state);
    if (state === undefined || pod.arrivals === undefined) return unreachable(pod);
    const steadyMs = pod.arrivals.steadyToMs - Math.max(pod.arrivals.steadyFromMs, switchedAtMs);
    if (pod.traffic !== "none" || state.mode !== "none" || steadyMs < SETTLE_MS) {
      draft.requeue(1_000);
      return {
        reason: "ArrivalsNotStopped",
        message: `pod ${pod.name} is ${state.mode}; no unnamed arrival for ${Math.max(0, steadyMs)} of ${SETTLE_MS} ms`,
      };
    }
  }
  return undefined;
}

function assertNever(value: never): never {
  throw new Error(`cannot decide step ${String(value)}: it is not known to this version`);
}
