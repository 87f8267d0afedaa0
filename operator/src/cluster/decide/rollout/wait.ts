// What candidates wait for at several places: pods, edges, gates. Pure.
import { freshValue, type ServerPodFacts } from "../../facts.ts";
import { edgeMissing } from "../edges.ts";
import { preflightAt, verdictAt } from "../gate.ts";
import { attachedPods, nameOf, type PlannedSet } from "../sets.ts";
import type { Draft, Waiting } from "./draft.ts";

/** `isTimeless`: nobody is to blame for how long it takes. */
export type Wait = Omit<Waiting, "sinceMs"> & { readonly isTimeless?: true };

/** All pods that are wanted are there and ready. */
export function podsWait(
  { facts }: Draft,
  candidate: PlannedSet,
  wanted: number,
  reason: "Provisioning" | "Verifying",
): Wait | undefined {
  const pods = attachedPods(facts.pods, candidate);
  const ready = pods.filter((pod) => pod.ready).length;
  if (candidate.replicas >= wanted && ready === candidate.replicas && pods.length === candidate.replicas) {
    return undefined;
  }
  const broken = pods.find((pod) => pod.trouble !== undefined);
  const whose = reason === "Verifying" ? "" : ` of ${nameOf(candidate)}`;
  const counted = `${ready} of ${Math.max(wanted, candidate.replicas)} pods${whose} are ready`;
  if (reason === "Verifying" || broken?.trouble === undefined) return { reason, message: counted };
  return {
    reason: "CandidateNotStarting",
    message: `${counted}; pod ${broken.name}: ${broken.trouble.reason}: ${broken.trouble.message}`,
    unblock: "correct the image or the settings in the specification",
  };
}

/** The same, and each has said what it is, and every edge knows it. */
export function readyWait(
  draft: Draft,
  candidate: PlannedSet,
  wanted: number,
  reason: "Provisioning" | "Verifying",
): Wait | undefined {
  const wait = podsWait(draft, candidate, wanted, reason);
  if (wait !== undefined) return wait;
  const pods = attachedPods(draft.facts.pods, candidate);
  const silent = pods.find((pod) => freshValue(pod.state) === undefined);
  if (silent !== undefined) return unreachable(silent);
  const missing = edgeMissing(
    draft.facts,
    pods.map((pod) => pod.key),
  );
  return missing === undefined ? undefined : behind(missing);
}

/** What the gates have not decided yet. What they have refused was seen before (candidate.ts). */
export function gateWait(
  { facts }: Draft,
  candidate: PlannedSet,
  point: "verify" | `step ${number}`,
): Wait | undefined {
  const against = point === "verify" ? preflightAt(facts.gate, candidate.attempt, point) : undefined;
  if (against !== undefined) return against;
  const verdict = verdictAt(facts.gate, candidate.attempt, point);
  if (verdict.kind === "pass") return undefined;
  return { reason: "GateInconclusive", message: `${point} is not decided: ${verdict.why}` };
}

export function unreachable(pod: ServerPodFacts): Wait {
  const why = pod.state.kind === "unknown" ? pod.state.why : "its last answer is too old";
  return {
    reason: "PodsUnreachable",
    message: `the state of pod ${pod.name} is not known: ${why}`,
    unblock: "a network policy that lets the operator reach the admin port, or the deletion of the pod",
  };
}

export function behind(edge: { edge: string; why: string }): Wait {
  return { reason: "EdgeNotAcknowledged", message: `edge pod ${edge.edge}: ${edge.why}` };
}
