// Where a rollout is judged, and what all verdicts together say. Pure. Not here: who judges.
import type { GateAt, GateFacts, SetFacts, Verdict } from "../facts.ts";
import { nextAttempt } from "./sets.ts";

/** The point at which the gates are asked now, from the marks alone; undefined where a rollout does not stand at a gate. */
export function gateAtOf(sets: readonly SetFacts[], wanted: string): GateAt | undefined {
  const candidate = sets.find((set) => set.role === "candidate");
  if (candidate?.revision === wanted) {
    return candidate.step === "verify"
      ? { attempt: candidate.attempt, point: "verify", sinceMs: candidate.startedAtMs }
      : undefined;
  }
  const stable = sets.find((set) => set.role === "stable");
  const present = sets.find((set) => set.revision === wanted);
  if (stable === undefined || stable.revision === wanted || present?.aborted !== undefined) return undefined;
  return { attempt: nextAttempt(present, wanted), point: "preflight", sinceMs: undefined };
}

/** A failure counts before what is open, and that before what passes. */
export function verdictOf(gate: GateFacts): Verdict {
  const verdicts = [gate.preflight, gate.synthetic, gate.analysis, gate.webhooks].filter((one) => one !== undefined);
  return (
    verdicts.find((verdict) => verdict.kind === "fail") ??
    verdicts.find((verdict) => verdict.kind === "inconclusive") ?? { kind: "pass" }
  );
}
