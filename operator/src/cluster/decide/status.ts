// The report: status and conditions from facts and decision. Pure; nothing ever reads it back to decide.
import { LABELS, type RolloutStatus, type WebSocketClusterStatus } from "@wscluster/crds";
import { type ClusterFacts, connectionsOf, freshValue, knownConnections, type ServerPodFacts } from "../facts.ts";
import { timestampOf } from "./children/replica-set.ts";
import { conditionsFor } from "./conditions.ts";
import { type Decision, receiptsFor, receiptsOf } from "./decision.ts";
import { loadStatusFor } from "./balance/words.ts";
import { hasEdge } from "./edges.ts";
import { holdOf } from "./holds.ts";
import { leftOf } from "./moving.ts";
import { preflightReport } from "./preconditions.ts";
import { donorsOf, type Waiting } from "./rollout/draft.ts";
import { stepsOf } from "./rollout/plan-of-steps.ts";
import { attachedPods, type PlannedSet } from "./sets.ts";

export function statusFor(decision: Decision): WebSocketClusterStatus {
  const { facts, rollout, taker, movement } = decision;
  const previous = facts.cluster.status;
  const candidate = rollout.sets.find((set) => set.role === "candidate");
  const left = leftOf(movement);
  const total = knownConnections(facts.pods);
  const isMoving = left > 0;
  const progress = rolloutStatusFor(decision, left);
  const { moved, resumed, cut } = receiptsFor(facts, [...new Set(movement.donors.map((donor) => donor.intent))]);
  const gone = moved + resumed + cut;
  const preflight = preflightReport(
    facts,
    rollout.sets.map((set) => set.attempt),
  );
  const edgePods = facts.edgePods.filter((pod) => !pod.deleting);
  return {
    observedGeneration: facts.cluster.generation,
    conditions: conditionsFor(decision),
    replicas: facts.pods.filter((pod) => !pod.deleting).length,
    ...(taker === undefined ? {} : { ready: readyText(facts, taker), active: setText(taker) }),
    ...(candidate === undefined ? {} : { candidate: setText(candidate) }),
    connections: steady(facts, calm(total, previous?.connections), previous?.connections),
    ...(isMoving ? { moving: `${gone}/${gone + left}` } : {}),
    selector: `${LABELS.cluster}=${facts.cluster.name},${LABELS.component}=server`,
    sets: rollout.sets
      .filter((set) => set.step !== "history" || set.aborted !== undefined)
      .toSorted((a, b) => b.startedAtMs - a.startedAtMs || (a.revision < b.revision ? -1 : 1))
      .slice(0, 16)
      .map((set) => setStatusFor(facts, set, isMoving || candidate !== undefined)),
    ...(hasEdge(facts) || edgePods.length > 0
      ? { edge: { replicas: edgePods.length, ready: edgePods.filter((pod) => pod.ready).length } }
      : {}),
    ...movesStatusFor(decision),
    ...(progress === undefined ? {} : { rollout: progress }),
    ...(preflight === undefined ? {} : { preflight }),
    ...(facts.balance === undefined ? {} : { load: loadStatusFor(facts, facts.balance) }),
    ...autoscalingStatusFor(facts),
  };
}

function autoscalingStatusFor({ autoscale }: ClusterFacts): Pick<WebSocketClusterStatus, "autoscaling"> {
  if (autoscale === undefined || autoscale.rival !== undefined) return {};
  const { wanted, replicas, message } = autoscale;
  return { autoscaling: { ...(wanted === undefined ? {} : { wanted }), replicas, message } };
}

function movesStatusFor({ facts, dependencies }: Decision): Pick<WebSocketClusterStatus, "moves"> {
  const hold = holdOf(facts, dependencies, "voluntary");
  const { cutUnderFreeze } = facts.memory;
  const moves = {
    ...(hold === undefined ? {} : { held: hold.reason }),
    ...(cutUnderFreeze === 0 ? {} : { cutUnderFreeze }),
  };
  return Object.keys(moves).length === 0 ? {} : { moves };
}

/**
 * Pods are asked one after another: whoever moves in between is counted at both or at neither. A difference that moves under
 * way explain is no news.
 */
function steady(facts: ClusterFacts, now: number, before: number | undefined): number {
  if (before === undefined) return now;
  const asked = facts.pods.reduce((sum, pod) => sum + (freshValue(pod.state)?.moving ?? 0), 0);
  const granted = facts.memory.grants.flatMap((grant) => grant.targets).reduce((sum, target) => sum + target.count, 0);
  return Math.abs(now - before) <= asked + granted ? before : now;
}

/** A number that comes and goes by itself is not worth a write: kept until it is off by a tenth. */
function calm(now: number, before: number | undefined): number {
  if (before === undefined || (now === 0) !== (before === 0)) return now;
  return Math.abs(now - before) > Math.max(10, before * 0.1) ? now : before;
}

function setStatusFor(facts: ClusterFacts, set: PlannedSet, isExact: boolean) {
  const pods = attachedPods(facts.pods, set);
  const known = pods.map(connectionsOf);
  const previous = facts.cluster.status?.sets?.find((other) => other.revision === set.revision)?.connections;
  const sum = known.reduce<number>((all, one) => all + (one ?? 0), 0);
  return {
    revision: set.revision,
    color: set.color,
    role: set.role,
    image: set.image,
    replicas: pods.length,
    ready: pods.filter((pod) => pod.ready).length,
    // Absent where nobody knows: a number would be taken for the truth.
    ...(known.includes(undefined) ? {} : { connections: isExact ? sum : calm(sum, previous) }),
    ...healthOfSet(facts, set, pods),
  };
}

function healthOfSet(facts: ClusterFacts, set: PlannedSet, pods: readonly ServerPodFacts[]) {
  const scores = pods.flatMap((pod) => {
    const health = facts.balance?.health.get(pod.key);
    return health?.kind === "known" ? [health.score] : [];
  });
  if (scores.length === 0) return {};
  const worst = Math.min(...scores);
  const before = facts.cluster.status?.sets?.find((other) => other.revision === set.revision)?.worstHealth;
  return { worstHealth: before !== undefined && Math.abs(before - worst) <= 10 ? before : worst };
}

function readyText(facts: ClusterFacts, taker: PlannedSet): string {
  const ready = attachedPods(facts.pods, taker).filter((pod) => pod.ready).length;
  return `${ready}/${facts.spec.replicas}`;
}

/** `green (chat:v2)`, cut to what a column bears. */
export function setText(set: Pick<PlannedSet, "color" | "image">): string {
  const image = set.image.slice(set.image.lastIndexOf("/") + 1);
  return `${set.color} (${image})`.slice(0, 96);
}

function rolloutStatusFor(decision: Decision, left: number): RolloutStatus | undefined {
  const { facts, rollout, moves } = decision;
  const sets = rollout.sets;
  const candidate = sets.find((set) => set.role === "candidate");
  const aborted = sets.find((set) => set.aborted !== undefined || set.step === "back");
  const stable = sets.find((set) => set.role === "stable");
  const subject = candidate ?? aborted ?? (stable?.switchedAtMs === undefined ? undefined : stable);
  if (subject === undefined) return undefined;
  const before = facts.cluster.status?.rollout;
  const from = candidate === undefined && subject === stable ? sourceOf(sets, subject) : stable?.revision;
  const receipts = receiptsOf(facts, subject);
  const gone = receipts.moved + receipts.resumed + receipts.cut;
  const phase = subject === stable ? "complete" : subject.aborted !== undefined ? "aborted" : subject.step;
  const perSecond = facts.memory.movedPerSecond;
  // While steps move a part, what is left is all that the old sets still hold.
  const rest = candidate?.trial === undefined ? left : knownConnections(donorsOf(facts.pods, candidate));
  const known = gone === 0 && before?.attempt === subject.attempt ? before : undefined;
  return {
    attempt: subject.attempt,
    phase,
    ...stepStatusOf(facts, subject),
    from: from ?? before?.from ?? "",
    to: subject.revision,
    startedAt: timestampOf(subject.startedAtMs),
    connectionsLeft: rest,
    percentMoved: phase === "complete" ? 100 : gone + rest === 0 ? 0 : Math.floor((100 * gone) / (gone + rest)),
    // Receipts live in the store with a ttl: what was reported once stays reported.
    moved: known?.moved ?? receipts.moved,
    resumed: known?.resumed ?? receipts.resumed,
    cut: known?.cut ?? receipts.cut,
    unknown: known?.unknown ?? receipts.unknown,
    ...(subject.step === "move" && left > 0 && perSecond !== undefined && perSecond > 0
      ? etaOf(left, perSecond, facts.memory.perSecond)
      : {}),
    ...((subject.step === "move" || decision.movement.trial !== undefined) && left > 0
      ? { limitedBy: decision.movement.held?.reason ?? moves.limitedBy }
      : {}),
    ...(rollout.waiting === undefined ? {} : { waiting: waitingFor(facts, rollout.waiting) }),
  };
}

function stepStatusOf({ spec }: ClusterFacts, { step, trial }: PlannedSet): Pick<RolloutStatus, "step" | "steps"> {
  const steps = stepsOf(spec).length;
  return step === "trial" && trial !== undefined && steps > 0 ? { step: Math.min(trial.index + 1, steps), steps } : {};
}

function etaOf(left: number, perSecond: number, allowedPerSecond: number) {
  return {
    etaSeconds: Math.ceil(left / perSecond),
    etaEarliestSeconds: Math.ceil(left / Math.max(perSecond, allowedPerSecond)),
    etaLatestSeconds: Math.ceil((2 * left) / perSecond),
  };
}

function sourceOf(sets: readonly PlannedSet[], stable: PlannedSet): string | undefined {
  const old = sets
    .filter((set) => set.role === "retired" && set.movedAtMs !== undefined && set.aborted === undefined)
    .toSorted((a, b) => (b.movedAtMs ?? 0) - (a.movedAtMs ?? 0))[0];
  return old === stable ? undefined : old?.revision;
}

function waitingFor(facts: ClusterFacts, waiting: Waiting): NonNullable<RolloutStatus["waiting"]> {
  const before = facts.cluster.status?.rollout?.waiting;
  const since = before?.reason === waiting.reason ? before.since : timestampOf(waiting.sinceMs);
  return {
    reason: waiting.reason,
    message: waiting.message.slice(0, 1024),
    since,
    ...(waiting.deadlineMs === undefined ? {} : { deadline: timestampOf(waiting.deadlineMs) }),
    ...(waiting.then === undefined ? {} : { then: waiting.then }),
    ...(waiting.unblock === undefined ? {} : { unblock: waiting.unblock }),
  };
}
