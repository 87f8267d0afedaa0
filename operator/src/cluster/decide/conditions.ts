// The conditions, each with one reason of reasons.ts and a sentence for people. Pure.
import type { Condition } from "@wscluster/crds";
import { type ClusterFacts, connectionsOf, knownConnections, type SetStep } from "../facts.ts";
import type { ConditionReason, ConditionType } from "../reasons.ts";
import { timestampOf } from "./children/replica-set.ts";
import { type Decision, receiptsOf } from "./decision.ts";
import { hasEdge, liveEdges } from "./edges.ts";
import { doomOf, isEvacuated } from "./evacuation.ts";
import { holdOf } from "./holds.ts";
import { connectionsLeft } from "./moving.ts";
import { NOT_THIS_ATTEMPT } from "./rollout/commands.ts";
import type { Waiting } from "./rollout/draft.ts";
import { nodesVerdict, reachableVerdict } from "./preconditions.ts";
import { attachedPods, nameOf } from "./sets.ts";

type Verdict = {
  readonly status: "True" | "False" | "Unknown";
  readonly reason: ConditionReason;
  readonly message: string;
};

export function conditionsFor(decision: Decision): Condition[] {
  const { facts } = decision;
  const available = availableVerdict(decision);
  const progressing = progressingVerdict(decision);
  const dependencies = dependenciesVerdict(decision);
  const verdicts: [ConditionType, Verdict][] = [
    ["Ready", readyVerdict(available, progressing, dependencies)],
    ["Available", available],
    ["Progressing", progressing],
    ["DependenciesReady", dependencies],
    ["PodsReachable", reachableVerdict(facts)],
    ["NodesReadable", nodesVerdict(facts)],
    ["MovesAllowed", movesVerdict(decision)],
    ...optionalVerdicts(decision),
    ["SpecValid", { status: "True", reason: "Valid", message: "the specification is valid" }],
  ];
  return verdicts.map(([type, verdict]) => conditionFor(facts, type, verdict));
}

/** Only where somebody asked for it. */
function optionalVerdicts({ facts, balance }: Decision): [ConditionType, Verdict][] {
  const autoscaling = autoscaleVerdict(facts);
  return [
    ...(balance.verdict === undefined ? [] : [["Balanced", balance.verdict] satisfies [ConditionType, Verdict]]),
    ...(autoscaling === undefined ? [] : [["Autoscaling", autoscaling] satisfies [ConditionType, Verdict]]),
  ];
}

function autoscaleVerdict({ autoscale, spec }: ClusterFacts): Verdict | undefined {
  if (autoscale === undefined) return undefined;
  const { rival, wanted, replicas, message } = autoscale;
  if (rival !== undefined) {
    return {
      status: "False",
      reason: "ScaledByOthers",
      message: `HorizontalPodAutoscaler ${rival} scales this cluster too: \`replicas\` (${spec.replicas}) is followed and \`autoscaling\` is not; remove one of them`,
    };
  }
  return wanted === replicas
    ? { status: "True", reason: "ScaledToLoad", message }
    : { status: "True", reason: "ScalingToLoad", message };
}

/** The one condition that speaks when the stored specification cannot be read: nothing else is touched. */
export function invalidSpecConditions(
  before: readonly Condition[] | undefined,
  nowMs: number,
  generation: number,
  message: string,
): Condition[] {
  const stamp = (type: ConditionType, verdict: Verdict) => stamped(before, nowMs, generation, type, verdict);
  const invalid: Verdict = { status: "False", reason: "Invalid", message: message.slice(0, 2048) };
  const others = (before ?? []).filter((condition) => condition.type !== "SpecValid" && condition.type !== "Ready");
  return [stamp("Ready", invalid), ...others, stamp("SpecValid", invalid)];
}

function conditionFor(facts: ClusterFacts, type: ConditionType, verdict: Verdict): Condition {
  return stamped(facts.cluster.status?.conditions, facts.nowMs, facts.cluster.generation, type, verdict);
}

function stamped(
  before: readonly Condition[] | undefined,
  nowMs: number,
  generation: number,
  type: ConditionType,
  verdict: Verdict,
): Condition {
  const old = before?.find((condition) => condition.type === type);
  return {
    type,
    status: verdict.status,
    reason: verdict.reason,
    message: verdict.message.slice(0, 2048),
    // Moves only when the status flips; messages may change under it.
    lastTransitionTime: old?.status === verdict.status ? old.lastTransitionTime : timestampOf(nowMs),
    observedGeneration: generation,
  };
}

/** What may go on while everything that was wanted is there. */
const SERVING: ReadonlySet<ConditionReason> = new Set([
  "Complete",
  "Retaining",
  "Retiring",
  "ScalingDown",
  "Evacuating",
  "EdgeRolling",
  "ScaleDownHeld",
]);

function readyVerdict(available: Verdict, progressing: Verdict, dependencies: Verdict): Verdict {
  if (available.status !== "True") return available;
  if (dependencies.status === "False") return dependencies;
  if (SERVING.has(progressing.reason)) {
    return { status: "True", reason: "AsExpected", message: "clients can connect and the wanted revision serves" };
  }
  return { ...progressing, status: "False" };
}

function availableVerdict({ facts, taker }: Decision): Verdict {
  if (facts.spec.replicas === 0) return { status: "False", reason: "NoReplicas", message: "`replicas` is 0" };
  const pods = taker === undefined ? [] : attachedPods(facts.pods, taker);
  const ready = pods.filter((pod) => pod.ready).length;
  if (ready === 0) {
    return {
      status: "False",
      reason: "ServersNotReady",
      message: `none of ${pods.length} pods that take new connections is ready`,
    };
  }
  const edges = liveEdges(facts).filter((pod) => pod.ready).length;
  if (hasEdge(facts) && edges === 0) {
    return { status: "False", reason: "EdgeNotReady", message: "no edge pod is ready" };
  }
  const through = hasEdge(facts) ? ` through ${edges} edge pods` : "";
  return {
    status: "True",
    reason: "AsExpected",
    message: `${ready} of ${pods.length} pods take new connections${through}`,
  };
}

function dependenciesVerdict({ dependencies }: Decision): Verdict {
  const { asked, failing, silent } = dependencies;
  switch (dependencies.state) {
    case "ok":
      return { status: "True", reason: "StoreAnswers", message: "the store answers to a majority of the pods" };
    case "down":
      return {
        status: "False",
        reason: "StoreUnavailable",
        message: `the store does not answer to ${failing} of ${asked} pods: connections stay, no connection is moved`,
      };
    case "unknown":
      return {
        status: "Unknown",
        reason: "StoreUnknown",
        message: asked === 0 ? "no pod runs yet" : `${silent} of ${asked} pods cannot be asked`,
      };
  }
}

function progressingVerdict(decision: Decision): Verdict {
  const { facts, rollout, scale, taker, movement } = decision;
  if (facts.spec.paused === true) {
    return {
      status: "False",
      reason: "Paused",
      message: "`paused` is set: nothing is reconciled, the fleet goes on serving",
    };
  }
  const candidate = rollout.sets.find((set) => set.role === "candidate");
  if (candidate !== undefined) return candidateVerdict(decision, candidate);
  if (rollout.waiting !== undefined) {
    const { reason, message } = rollout.waiting;
    return { status: "False", reason, message: `a new revision waits: ${message}` };
  }
  const back = rollout.sets.find((set) => set.step === "back");
  const left = connectionsLeft(movement.donors);
  if (back !== undefined) {
    return (
      held(decision) ?? {
        status: "True",
        reason: "GivingBack",
        message: `attempt ${back.attempt} was aborted: ${left} connections move back to ${taker === undefined ? "stable" : nameOf(taker)}`,
      }
    );
  }
  const aborted = rollout.sets.find((set) => set.aborted !== undefined);
  if (aborted?.aborted !== undefined) {
    const [reason, ...why] = aborted.aborted.split(":");
    return {
      status: "False",
      reason: reason === "ProgressDeadlineExceeded" || reason === "GateFailed" ? reason : "RolloutAborted",
      message: `attempt ${aborted.attempt} with image ${aborted.image} was aborted: ${why.join(":")}; ${taker === undefined ? "nothing" : nameOf(taker)} keeps serving`,
    };
  }
  if (scale.held !== undefined) {
    return {
      status: "False",
      reason: "ScaleDownHeld",
      message: `\`replicas\` is ${facts.spec.replicas}, more pods are there and stay: ${scale.held}`,
    };
  }
  const evacuated = facts.pods.filter((pod) => isEvacuated(facts, pod) && (connectionsOf(pod) ?? 0) > 0);
  if (evacuated.length > 0) {
    const count = knownConnections(evacuated);
    const why = evacuated.map((pod) => doomOf(facts, pod)).find((one) => one !== undefined) ?? "nodes are cordoned";
    return (
      held(decision) ?? {
        status: "True",
        reason: "Evacuating",
        message: `${evacuated.length} pods give their connections away (${why}), ${count} connections are left on them`,
      }
    );
  }
  const draining = facts.pods.filter((pod) => pod.set === "draining" && !pod.deleting);
  if (draining.length > 0) {
    return (
      held(decision) ?? {
        status: "True",
        reason: "ScalingDown",
        message: `${draining.length} pods are being emptied, ${left} connections are left on them`,
      }
    );
  }
  if (decision.edge.isRolling) {
    const message = `the edge's pods are being replaced, ${left} connections are left on the old ones`;
    return held(decision) ?? { status: "True", reason: "EdgeRolling", message };
  }
  return restVerdict(decision);
}

function held({ movement }: Decision): Verdict | undefined {
  const { held: hold } = movement;
  if (hold === undefined || hold.reason === "NotHandedOver") return undefined;
  return { status: "False", reason: hold.reason, message: hold.message };
}

function movesVerdict({ facts, dependencies }: Decision): Verdict {
  const hold = holdOf(facts, dependencies, "voluntary");
  if (hold === undefined) return { status: "True", reason: "AsExpected", message: "connections may be moved" };
  // Before anybody could be asked nothing is known, and nothing is wrong.
  const isUnknown = hold.reason === "DependencyFreeze" && dependencies.state === "unknown";
  return {
    status: isUnknown ? "Unknown" : "False",
    reason: isUnknown ? "StoreUnknown" : hold.reason,
    message: hold.message,
  };
}

/** The rollout does not get on by itself, or not before somebody does something. */
const STANDING: ReadonlySet<ConditionReason> = new Set(["CandidateNotStarting", "AwaitingApproval", "RolloutPaused"]);

/** What is said in the pass that takes a step, before there is anything to wait for. */
const STEP_TEXT: Partial<Record<SetStep, { readonly reason: ConditionReason; readonly message: string }>> = {
  provision: { reason: "Provisioning", message: "pods are being made" },
  verify: { reason: "Verifying", message: "its pods are ready and are being verified" },
  switch: { reason: "Switching", message: "new connections are being led to it" },
  settle: { reason: "ArrivalsNotStopped", message: "it takes new connections; arrivals at the old set must stop" },
  move: { reason: "MovingConnections", message: "connections begin to move" },
  approve: { reason: "AwaitingApproval", message: "it is verified and may be approved" },
  trial: { reason: "StepRunning", message: "a step goes on" },
  grow: { reason: "Provisioning", message: "the rest of its pods is being made" },
};

function candidateVerdict(decision: Decision, candidate: Decision["rollout"]["sets"][number]): Verdict {
  const { facts, rollout, movement } = decision;
  const { waiting } = rollout;
  const stale = facts.spec.rollout?.abortedAttempt;
  const unheard =
    stale === undefined || stale === "" || stale === candidate.attempt
      ? ""
      : `; \`rollout.abortedAttempt\` names ${stale}, ${NOT_THIS_ATTEMPT}`;
  const stable = rollout.sets.find((set) => set.role === "stable");
  const story = `${stable === undefined ? "" : `${nameOf(stable)} to `}${nameOf(candidate)} with image ${candidate.image}`;
  if (candidate.step === "move" && waiting?.reason === "MovingConnections") {
    const left = connectionsLeft(movement.donors);
    const { moved, resumed, cut } = receiptsOf(facts, candidate);
    const gone = moved + resumed + cut;
    return (
      held(decision) ?? {
        status: "True",
        reason: "MovingConnections",
        message: `${story}: ${gone} of ${gone + left} connections moved, ${left} left${unheard}`,
      }
    );
  }
  const reason = waiting?.reason ?? STEP_TEXT[candidate.step]?.reason ?? "Verifying";
  const isStuck = STANDING.has(reason) || holdOf(decision.facts, decision.dependencies, "voluntary")?.reason === reason;
  return {
    status: isStuck ? "False" : "True",
    reason,
    message: `${story}: ${waiting?.message ?? STEP_TEXT[candidate.step]?.message ?? candidate.step}${commandText(waiting)}${unheard}`,
  };
}

function commandText(waiting: Waiting | undefined): string {
  if (waiting?.unblock === undefined || !STANDING.has(waiting.reason)) return "";
  return waiting.unblock.startsWith("kubectl") || waiting.unblock.startsWith("go back")
    ? `; to end this: ${waiting.unblock}`
    : "";
}

function restVerdict({ facts, rollout, taker }: Decision): Verdict {
  if (taker === undefined) return { status: "True", reason: "PodsStarting", message: "the first set is being made" };
  const pods = attachedPods(facts.pods, taker);
  const ready = pods.filter((pod) => pod.ready).length;
  if (ready < facts.spec.replicas) {
    const broken = pods.find((pod) => pod.trouble !== undefined);
    const counted = `${ready} of ${facts.spec.replicas} pods of ${nameOf(taker)} are ready`;
    return broken?.trouble === undefined
      ? { status: "True", reason: "PodsStarting", message: counted }
      : {
          status: "False",
          reason: "PodNotStarting",
          message: `${counted}; pod ${broken.name}: ${broken.trouble.reason}: ${broken.trouble.message}`,
        };
  }
  const retained = rollout.sets.find((set) => set.step === "retain");
  if (retained !== undefined) {
    return {
      status: "False",
      reason: "Retaining",
      message: `${nameOf(taker)} serves; ${nameOf(retained)} stays warm as the way back`,
    };
  }
  const retiring = rollout.sets.find((set) => set.step === "seal");
  if (retiring !== undefined) {
    return {
      status: "False",
      reason: "Retiring",
      message: `${nameOf(taker)} serves; ${nameOf(retiring)} is being scaled to zero`,
    };
  }
  return { status: "False", reason: "Complete", message: `${nameOf(taker)} with image ${taker.image} serves` };
}
