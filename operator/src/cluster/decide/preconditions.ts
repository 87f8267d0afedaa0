// What has to be in order around a fleet for the operator to do its work: pods that can be asked, nodes that can be read, and a
// rollout's preflight. Pure. Not here: the other conditions (conditions.ts).
import type { PreflightStatus } from "@wscluster/crds";
import type { ClusterFacts, ServerPodFacts } from "../facts.ts";
import type { EventValue } from "../plan.ts";
import type { ConditionReason } from "../reasons.ts";

/** A pod may be silent for so long before anybody is told: a lost answer or a busy moment is no news. */
const SILENCE_MS = 30_000;
const NAMED_PODS = 5;

type Verdict = {
  readonly status: "True" | "False" | "Unknown";
  readonly reason: ConditionReason;
  readonly message: string;
};

/** Why this pod cannot be asked, or undefined when it can, or when it is too early to say. */
function silenceOf(facts: Pick<ClusterFacts, "nowMs">, pod: ServerPodFacts): string | undefined {
  if (!pod.running || pod.deleting) return undefined;
  if (pod.state.kind === "known") {
    return pod.state.ageMs > SILENCE_MS
      ? `its last answer is ${Math.floor(pod.state.ageMs / 60_000)} min old`
      : undefined;
  }
  return facts.nowMs - (pod.readySinceMs ?? pod.createdAtMs) > SILENCE_MS ? pod.state.why : undefined;
}

export function reachableVerdict(facts: Pick<ClusterFacts, "nowMs" | "pods">): Verdict {
  const silent = facts.pods.flatMap((pod) => {
    const why = silenceOf(facts, pod);
    return why === undefined ? [] : [{ name: pod.name, why }];
  });
  if (silent.length === 0) {
    return { status: "True", reason: "AsExpected", message: "every running pod tells its state" };
  }
  const named = silent.slice(0, NAMED_PODS).map(({ name, why }) => `${name}: ${why}`);
  const more = silent.length > named.length ? `; and ${silent.length - named.length} more` : "";
  return {
    status: "False",
    reason: "PodsUnreachable",
    message: `${silent.length} of ${facts.pods.length} pods do not tell their state, and nothing is assumed about them: ${named.join("; ")}${more}. A network policy must let the operator reach the admin port`,
  };
}

export function nodesVerdict(facts: Pick<ClusterFacts, "nodes" | "spec">): Verdict {
  if (facts.spec.disruption?.nodeDrain === false) {
    return {
      status: "True",
      reason: "NodeDrainOff",
      message: "`disruption.nodeDrain` is false: nodes are not followed",
    };
  }
  return facts.nodes === undefined
    ? {
        status: "False",
        reason: "NodeDrainUnavailable",
        message:
          "nodes cannot be listed: pods leave by their own drain when they are evicted, and nobody moves their clients before. The operator's ClusterRole must allow get, list and watch of nodes",
      }
    : { status: "True", reason: "AsExpected", message: "nodes that are drained or removed are left in time" };
}

/** Told once for each attempt and each change of the result. */
export function preflightEvents(facts: Pick<ClusterFacts, "gate" | "cluster">): EventValue[] {
  const now = facts.gate?.preflight;
  const before = facts.cluster.status?.preflight;
  if (now === undefined || (before?.attempt === now.attempt && before.result === now.result)) return [];
  const text = (of: PreflightStatus, results: readonly string[]) =>
    of.checks
      .filter((check) => results.includes(check.result))
      .map((check) => check.message)
      .join("; ");
  const who = `attempt ${now.attempt}`;
  switch (now.result) {
    case "Failed":
      return [{ reason: "PreflightFailed", message: `${who} waits: ${text(now, ["Fail"])}` }];
    case "Warned":
      return [{ reason: "PreflightWarned", message: `${who}: ${text(now, ["Fail", "Warn"])}. ${now.clients}` }];
    case "Passed":
      return [{ reason: "PreflightPassed", message: `${who}: ${now.clients}` }];
  }
}

/** The numbers stay to be read as long as their attempt has a set. */
export function preflightReport(
  facts: Pick<ClusterFacts, "gate" | "cluster">,
  attempts: readonly string[],
): PreflightStatus | undefined {
  const before = facts.cluster.status?.preflight;
  return facts.gate?.preflight ?? (before !== undefined && attempts.includes(before.attempt) ? before : undefined);
}
