// Where a rollout is judged, and what all verdicts together say. Pure. Not here: who judges.
import type { GateAt, GateFacts, GatePoint, SetFacts, Verdict } from "../facts.ts";
import { nextAttempt } from "./sets.ts";

/** The point at which the gates are asked now, from the marks alone; undefined where a rollout does not stand at a gate. */
export function gateAtOf(sets: readonly SetFacts[], wanted: string): GateAt | undefined {
  const candidate = sets.find((set) => set.role === "candidate");
  if (candidate?.revision === wanted) {
    const at = pointOf(candidate);
    return at === undefined ? undefined : { attempt: candidate.attempt, ...at };
  }
  const stable = sets.find((set) => set.role === "stable");
  const present = sets.find((set) => set.revision === wanted);
  if (stable === undefined || stable.revision === wanted || present?.aborted !== undefined) return undefined;
  return { attempt: nextAttempt(present, wanted), point: "preflight", sinceMs: undefined };
}

function pointOf({
  step,
  trial,
  startedAtMs,
  switchedAtMs,
}: SetFacts): { point: GatePoint; sinceMs: number } | undefined {
  if (step === "verify") return { point: "verify", sinceMs: startedAtMs };
  if (step === "move") return { point: "move", sinceMs: switchedAtMs ?? startedAtMs };
  // A step can fail from its first move on; it passes at its end only.
  if (step !== "trial" || trial === undefined || trial.phase === "grow" || trial.phase === "share") return undefined;
  return { point: `step ${trial.index + 1}`, sinceMs: trial.judgedFromMs };
}

/** The gate's answer if it speaks of this attempt and point; otherwise nobody has judged it yet. */
export function verdictAt(
  gate: { readonly at: GateAt; readonly verdicts: GateFacts } | undefined,
  attempt: string,
  point: GatePoint,
): Verdict {
  if (gate === undefined || gate.at.attempt !== attempt || gate.at.point !== point) return { kind: "pass" };
  return verdictOf(gate.verdicts);
}

/** A failure counts before what is open, and that before what passes. What preflight says is no verdict on the candidate. */
function verdictOf(gate: GateFacts): Verdict {
  const verdicts = [gate.synthetic, gate.analysis, gate.webhooks].filter((one) => one !== undefined);
  return (
    verdicts.find((verdict) => verdict.kind === "fail") ??
    verdicts.find((verdict) => verdict.kind === "inconclusive") ?? { kind: "pass" }
  );
}

export type Objection = {
  readonly reason: "PreflightFailed" | "GateInconclusive";
  readonly message: string;
  readonly unblock: string;
};

/** What stands against beginning at all, or against going on before anybody was moved. */
export function preflightAt(
  gate: { readonly at: GateAt; readonly verdicts: GateFacts } | undefined,
  attempt: string,
  point: "preflight" | "verify",
): Objection | undefined {
  if (gate === undefined || gate.at.attempt !== attempt || gate.at.point !== point) return undefined;
  const { preflight, webhooks } = gate.verdicts;
  if (preflight !== undefined && preflight.kind !== "pass") {
    return {
      reason: "PreflightFailed",
      message: preflight.why,
      unblock: "what is named there, or `rollout.preflight: Warn`",
    };
  }
  // Before anything began, a webhook is asked as well; there is nothing yet that its answer could abort.
  if (point !== "preflight" || webhooks === undefined || webhooks.kind === "pass") return undefined;
  return {
    reason: "GateInconclusive",
    message: `the rollout has not begun: ${webhooks.why}`,
    unblock: "the webhook's answer 200, or its removal from `rollout.webhooks`",
  };
}
