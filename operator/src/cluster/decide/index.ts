// The decision of one pass: facts in, plan out. Pure and total: no clock, no randomness, no I/O.
// Order of the actions is part of the decision: marks on the ReplicaSets go out before the acts that they announce.
import { ANNOTATIONS } from "@wscluster/crds";
import type { ModeRequest, PodMode } from "@wscluster/protocol";
import { GRANT_WINDOW_MS, paceLimitsOf } from "../../moves/limits.ts";
import { type MovePlan, planGrants } from "../../moves/planner.ts";
import { type ClusterFacts, connectionsOf, freshValue, isEmpty, type SetFacts } from "../facts.ts";
import type { Action, EventValue, Plan } from "../plan.ts";
import { accountsFor } from "./children/accounts.ts";
import { drainingBudgetFor, setBudgetFor } from "./children/budgets.ts";
import { edgeInstructionsFor } from "./children/edge.ts";
import { liveConfigFor } from "./children/live-config.ts";
import { replicaSetFor } from "./children/replica-set.ts";
import { servicesFor } from "./children/services.ts";
import { NO_BALANCE, planBalance } from "./balance/balance.ts";
import { type Dependencies, dependenciesOf } from "./dependencies.ts";
import { knowsDeadline, ownDeadlineMs, planDraining } from "./draining.ts";
import { planEdge } from "./edge-sets.ts";
import { arrivalsOf, hasEdge, instructionsFor, isHandedOver } from "./edges.ts";
import { holdOf, windowChangeMs } from "./holds.ts";
import { leftOf, type Movement, movementOf } from "./moving.ts";
import { detachPatch, trafficPatch } from "./pod-patches.ts";
import { preflightEvents } from "./preconditions.ts";
import { yieldBudgets } from "../other-budgets.ts";
import { advanceRollout } from "./rollout.ts";
import { NOT_THIS_ATTEMPT } from "./rollout/commands.ts";
import { progressKey } from "./rollout/draft.ts";
import { type Leaving, leavingPods } from "./rollout/plan-of-steps.ts";
import { nextRecycleMs } from "./recycle.ts";
import { planScale, type Scale } from "./scale.ts";
import { isSealed, type PlannedSet, takerOf, trafficOf } from "./sets.ts";
import { admitPerEdge } from "./storm.ts";
import { statusFor } from "./status.ts";
import type { TrialMoves } from "./trial-moves.ts";
import { childNames } from "@wscluster/crds";

const DEFAULT_HISTORY = 5;

export function decide(facts: ClusterFacts): Plan {
  if (facts.cluster.deleting || facts.spec.paused === true) return idlePlan(facts);
  const dependencies = dependenciesOf(facts);
  const rollout = advanceRollout(facts, dependencies);
  const { sets } = rollout;
  const taker = takerOf(sets);
  const arrivals = arrivalsOf(facts, sets);
  const handedOver = isHandedOver(facts, arrivals);
  const leaving = leavingPods(facts, sets);
  const trafficBy = new Map(sets.map((set) => [set.revision, trafficOf(set, taker, handedOver)]));
  const scale = planScale(facts, sets, taker, dependencies);
  const edge = planEdge(facts, dependencies);
  const movement = movementOf(facts, sets, taker, handedOver, dependencies, edge.leaving, rollout.paused);
  const moves = grantsNow(facts, movement);
  const spent = moves.grants.reduce((sum, grant) => sum + grant.count, 0);
  const balance = planBalance({ facts, sets, taker, dependencies, handedOver, movement, spent });
  const grants = [...moves.grants, ...balance.grants];
  const drain = planDraining(facts, dependencies);
  const instructions = instructionsFor(facts, arrivals);
  const history = prunable(facts, sets);
  const kept = sets.filter((set) => !history.some((old) => old.name === set.name));
  const actions: Action[] = [
    ...baseActions(facts),
    ...scale.detach.map((pod) =>
      detachPatch(facts.cluster, pod, facts.nowMs, pod === scale.recycled ? "recycle" : "scaleDown"),
    ),
    ...setActions(facts, kept, trafficBy, scale),
    ...edge.actions,
    ...labelActions(facts, trafficBy, leaving, scale),
    ...(instructions === undefined
      ? []
      : [{ kind: "apply" as const, manifest: edgeInstructionsFor(facts.cluster, instructions, admitPerEdge(facts)) }]),
    ...modeActions(facts, sets, trafficBy, leaving, scale),
    ...balance.actions,
    ...(grants.length === 0 ? [] : [{ kind: "grants" as const, grants }]),
    ...drain.actions,
    ...edge.removals,
    ...budgetRemovals(facts, kept, edge.budgets),
    ...history.flatMap((set) => removeSet(set)),
  ];
  const yielded = yieldBudgets(facts, actions);
  const isBusy =
    movement.donors.length > 0 ||
    balance.isBusy ||
    edge.isRolling ||
    drain.isDraining ||
    scale.held !== undefined ||
    scale.isWaiting ||
    sets.some((set) => set.role === "candidate" || set.role === "superseded" || set.step === "seal") ||
    !handedOver;
  const left = leftOf(movement);
  const candidate = sets.find((set) => set.role === "candidate");
  const isHeld = holdOf(facts, dependencies, "voluntary") !== undefined;
  const events = [
    ...preflightEvents(facts),
    ...rollout.events,
    ...scale.events,
    ...drain.events,
    ...edge.events,
    ...balance.events,
    ...yielded.events,
    ...freezeEvents(facts, isHeld && left > 0 && movement.allowed.length === 0),
  ];
  const status = statusFor({ facts, dependencies, rollout, taker, handedOver, scale, movement, moves, edge, balance });
  const requeueAfterMs = soonest(
    rollout.requeueAfterMs,
    drain.requeueAfterMs,
    windowChangeMs(facts),
    waitForMs(facts.nowMs, facts.wanted.restartsAtMs),
    waitForMs(facts.nowMs, nextRecycleMs(facts, taker)),
    isBusy ? GRANT_WINDOW_MS : undefined,
  );
  return {
    actions: yielded.actions,
    status,
    events: [...events, ...conditionEvents(facts, status)],
    ...(requeueAfterMs === undefined ? {} : { requeueAfterMs }),
    poll: isBusy ? "moving" : "rest",
    notes: notesFor(facts, sets, { taker, handedOver, left, tokens: facts.memory.tokens, limitedBy: moves.limitedBy }),
    pressures:
      left + balance.left === 0
        ? []
        : [...movement.targets, ...(movement.trial?.targets ?? [])].map((target) => target.pressure),
    endings: endingsOf(facts, dependencies),
    balance: balance.next,
    progress:
      candidate === undefined
        ? undefined
        : {
            of: progressKey(candidate),
            left: candidate.step === "move" ? left : (movement.trial?.left ?? 0),
            held: isHeld || rollout.paused === "user",
          },
  };
}

/** Nothing is touched: garbage collection does a deletion, and `paused` means paused. */
function idlePlan(facts: ClusterFacts): Plan {
  const dependencies = dependenciesOf(facts);
  const sets = facts.sets.map((set) => ({ ...set, live: set }));
  const taker = takerOf(sets);
  const handedOver = isHandedOver(facts, arrivalsOf(facts, sets));
  const status = statusFor({
    facts,
    dependencies,
    rollout: { sets, events: [], waiting: undefined, requeueAfterMs: undefined, paused: undefined },
    taker,
    handedOver,
    scale: {
      replicas: new Map(),
      detach: [],
      tell: [],
      recycled: undefined,
      held: undefined,
      isWaiting: false,
      events: [],
    },
    movement: { donors: [], allowed: [], targets: [], trial: undefined, held: undefined },
    moves: { grants: [], limitedBy: "Nothing" },
    edge: { actions: [], removals: [], budgets: [], leaving: [], isRolling: false, events: [] },
    balance: NO_BALANCE,
  });
  return {
    actions: [],
    status,
    events: [],
    poll: "rest",
    notes: ["paused or being deleted"],
    pressures: [],
    endings: { isFrozen: false, pods: [] },
    balance: NO_BALANCE.next,
    progress: undefined,
  };
}

function endingsOf(facts: ClusterFacts, dependencies: Dependencies): Plan["endings"] {
  const pods = facts.pods.flatMap((pod) => {
    const connections = pod.deleting ? connectionsOf(pod) : undefined;
    return connections === undefined ? [] : [{ uid: pod.uid, connections }];
  });
  return { isFrozen: dependencies.state === "down", pods };
}

function baseActions(facts: ClusterFacts): Action[] {
  const { cluster } = facts;
  const manifests = [
    ...accountsFor(cluster, hasEdge(facts)),
    liveConfigFor(facts),
    ...servicesFor(facts),
    drainingBudgetFor(cluster),
  ];
  const keys: Action[] = facts.keysExist ? [] : [{ kind: "createKeys", name: childNames(cluster.name).keys }];
  return [...keys, ...manifests.map((manifest): Action => ({ kind: "apply", manifest }))];
}

/** Those that give something up first: a crash in between must leave too little said, never too much. */
const ROLE_ORDER = { retired: 0, superseded: 1, candidate: 2, stable: 3 } as const;

function setActions(
  facts: ClusterFacts,
  sets: readonly PlannedSet[],
  trafficBy: ReadonlyMap<string, PodMode>,
  scale: Scale,
): Action[] {
  return sets
    .toSorted((a, b) => ROLE_ORDER[a.role] - ROLE_ORDER[b.role] || (a.revision < b.revision ? -1 : 1))
    .flatMap((set): Action[] => {
      const replicas = scale.replicas.get(set.revision) ?? set.replicas;
      const isShrink = set.live !== undefined && replicas < set.live.replicas;
      const { live: _live, createdAtMs: _created, ...body } = set;
      const replicaSet = replicaSetFor(facts.cluster, {
        ...body,
        component: "server",
        replicas,
        traffic: trafficBy.get(set.revision) ?? "none",
        marks: set,
        ...(isShrink && set.live !== undefined ? { guard: guardFor(set.live) } : {}),
      });
      const budget = setBudgetFor(facts.cluster, set.name, set.revision, "server");
      return hasBudget(facts, set)
        ? [
            { kind: "apply", manifest: replicaSet },
            { kind: "apply", manifest: budget },
          ]
        : [{ kind: "apply", manifest: replicaSet }];
    });
}

/**
 * A set that shrinks must be the one that was looked at, in the version that was looked at. After a detach in the same pass
 * its controller may have changed its status already: act.ts looks again then, whether what was decided on is still there.
 */
function guardFor({ uid, resourceVersion }: SetFacts): { uid: string; resourceVersion: string } {
  return { uid, resourceVersion };
}

function hasBudget(facts: ClusterFacts, set: PlannedSet): boolean {
  return set.step !== "history" || facts.pods.some((pod) => pod.revision === set.revision);
}

function budgetRemovals(facts: ClusterFacts, sets: readonly PlannedSet[], edgeBudgets: readonly string[]): Action[] {
  const wanted = new Set([
    childNames(facts.cluster.name).drainingBudget,
    ...sets.filter((set) => hasBudget(facts, set)).map((set) => set.name),
    ...edgeBudgets,
  ]);
  return facts.budgets
    .filter((budget) => !wanted.has(budget.name))
    .map((budget) => ({ kind: "delete", resource: "podDisruptionBudgets", name: budget.name, uid: budget.uid }));
}

function labelActions(
  facts: ClusterFacts,
  trafficBy: ReadonlyMap<string, PodMode>,
  { leaving }: Leaving,
  { detach, tell }: Pick<Scale, "detach" | "tell">,
): Action[] {
  return facts.pods.flatMap((pod) => {
    if (pod.deleting || detach.includes(pod)) return [];
    const goes = pod.set === "draining" || leaving.includes(pod) || tell.includes(pod);
    const traffic = goes ? "none" : (trafficBy.get(pod.revision) ?? "none");
    return pod.traffic === traffic ? [] : [trafficPatch(pod, traffic)];
  });
}

function modeActions(
  facts: ClusterFacts,
  sets: readonly PlannedSet[],
  trafficBy: ReadonlyMap<string, PodMode>,
  { leaving, sealed }: Leaving,
  { detach, tell }: Pick<Scale, "detach" | "tell">,
): Action[] {
  return facts.pods.flatMap((pod): Action[] => {
    const state = freshValue(pod.state);
    if (state === undefined || pod.deleting || !pod.running || state.terminating) return [];
    const set = sets.find((candidate) => candidate.revision === pod.revision);
    const isLeaving = pod.set === "draining" || sealed.includes(pod);
    const isTold = detach.includes(pod) || tell.includes(pod);
    const request: ModeRequest = {
      mode: isLeaving || isTold || leaving.includes(pod) ? "none" : (trafficBy.get(pod.revision) ?? "none"),
      // A pod is sealed when its set is done, or alone when its last client has left: empty and sealed is not ready.
      sealed: isLeaving ? state.mode === "none" && isEmpty(pod) : set === undefined || isSealed(set),
      ...(pod.set === "draining" || isTold ? { deadlineMs: ownDeadlineMs(facts, pod) } : {}),
    };
    const { deadlineMs } = request;
    // A deadline that nobody keeps any more would empty a pod that is wanted.
    const knows = deadlineMs === undefined ? (state.deadlineInMs ?? null) === null : knowsDeadline(state, deadlineMs);
    if (state.mode === request.mode && state.sealed === request.sealed && knows) return [];
    return [{ kind: "mode", pod: pod.uid, request }];
  });
}

function grantsNow(facts: ClusterFacts, movement: Movement): MovePlan {
  const { trial } = movement;
  const isIdle = movement.allowed.length === 0 && (trial === undefined || trial.donors.length === 0);
  if (isIdle || !facts.keysExist) return { grants: [], limitedBy: "Nothing" };
  const lastSentMs = facts.memory.grants.reduce((last, grant) => Math.max(last, grant.sentAtMs), -Infinity);
  // A new grant replaces the rest of the old one, and the budget is not given back: one per window.
  if (facts.nowMs - lastSentMs < GRANT_WINDOW_MS * 0.95) return { grants: [], limitedBy: "Budget" };
  const { tokens, emergencyTokens, grants: recent } = facts.memory;
  const plan = planGrants({
    donors: movement.allowed,
    targets: movement.targets,
    tokens,
    emergencyTokens,
    recent,
  });
  const whole = trial === undefined ? plan : withTrial(plan, trial, facts);
  const isSlowed = facts.memory.perSecond < paceLimitsOf(facts.spec.moves).maxPerSecond;
  return whole.limitedBy === "Budget" && isSlowed ? { ...whole, limitedBy: "Pressure" } : whole;
}

/** A step's moves come last, out of what the others left of the budget, and with as much room as those left. */
function withTrial(plan: MovePlan, trial: TrialMoves, { memory, nowMs }: ClusterFacts): MovePlan {
  const sources = new Set(plan.grants.map((grant) => grant.source));
  const spent = plan.grants.reduce((sum, grant) => sum + grant.count, 0);
  const budget = Math.max(0, memory.tokens - spent);
  const step = planGrants({
    donors: trial.donors.filter((donor) => !sources.has(donor.key)),
    targets: trial.targets,
    tokens: Math.min(budget, trial.limit),
    emergencyTokens: 0,
    recent: [...memory.grants, ...plan.grants.map((grant) => ({ ...grant, sentAtMs: nowMs }))],
  });
  const limitedBy = step.limitedBy === "Budget" && trial.limit < budget ? "Nothing" : step.limitedBy;
  return {
    grants: [...plan.grants, ...step.grants],
    limitedBy: plan.limitedBy === "Nothing" ? limitedBy : plan.limitedBy,
  };
}

function prunable(facts: ClusterFacts, sets: readonly PlannedSet[]): PlannedSet[] {
  const limit = facts.spec.rollout?.revisionHistoryLimit ?? DEFAULT_HISTORY;
  return sets
    .filter(
      (set) =>
        set.role === "retired" &&
        set.step === "history" &&
        set.live?.step === "history" &&
        set.revision !== facts.wanted.servers &&
        !facts.pods.some((pod) => pod.revision === set.revision),
    )
    .toSorted((a, b) => b.startedAtMs - a.startedAtMs || (a.revision < b.revision ? -1 : 1))
    .slice(limit);
}

function removeSet(set: PlannedSet): Action[] {
  if (set.live === undefined) return [];
  const { name, uid, resourceVersion } = set.live;
  return [{ kind: "delete", resource: "replicaSets", name, uid, resourceVersion }];
}

function freezeEvents(facts: ClusterFacts, isHeld: boolean): EventValue[] {
  const was = facts.cluster.status?.conditions?.find((condition) => condition.type === "Progressing")?.reason;
  const wasFrozen = was === "DependencyFreeze";
  if (isHeld && !wasFrozen && dependenciesOf(facts).state === "down") {
    return [
      { reason: "MovesFrozen", message: "the store does not answer to a majority of the pods: no connection moves" },
    ];
  }
  if (wasFrozen && dependenciesOf(facts).state === "ok") {
    return [{ reason: "MovesResumed", message: "the store answers again: moves go on" }];
  }
  return [];
}

function conditionEvents(facts: ClusterFacts, status: Plan["status"]): EventValue[] {
  const reasonIn = (of: Plan["status"] | undefined) =>
    of?.conditions?.find((condition) => condition.type === "Progressing")?.reason;
  const now = status.conditions?.find((condition) => condition.type === "Progressing");
  const unheard = unheardEvents(facts, status);
  if (now === undefined || now.reason === reasonIn(facts.cluster.status)) return unheard;
  if (
    now.reason === "CandidateNotStarting" ||
    now.reason === "RolloutPaused" ||
    now.reason === "PodNotStarting" ||
    now.reason === "ScaleDownHeld"
  ) {
    return [{ reason: now.reason, message: now.message }, ...unheard];
  }
  return unheard;
}

/** Said once, when such a name comes while an attempt runs; one that was there before is that of an earlier attempt. */
function unheardEvents(facts: ClusterFacts, status: Plan["status"]): EventValue[] {
  const messageIn = (of: Plan["status"] | undefined) =>
    of?.conditions?.find((condition) => condition.type === "Progressing")?.message ?? "";
  const before = facts.cluster.status;
  const now = messageIn(status);
  if (!now.includes(NOT_THIS_ATTEMPT) || messageIn(before).includes(NOT_THIS_ATTEMPT)) return [];
  return before?.rollout?.attempt !== undefined && before.rollout.attempt === status.rollout?.attempt
    ? [{ reason: "AttemptNotRunning", message: now }]
    : [];
}

function notesFor(
  facts: ClusterFacts,
  sets: readonly PlannedSet[],
  of: {
    taker: PlannedSet | undefined;
    handedOver: boolean;
    left: number;
    tokens: number;
    limitedBy: string;
  },
): string[] {
  return [
    `taker=${of.taker?.revision ?? "-"} handedOver=${of.handedOver} generation=${facts.instructions?.generation ?? 0}`,
    `left=${of.left} tokens=${of.tokens} limitedBy=${of.limitedBy}`,
    ...sets.map((set) => `${set.revision} ${set.role}/${set.step} ${ANNOTATIONS.attempt}=${set.attempt}`),
  ];
}

/** A timer that is set for longer than this may overflow, and the world may be another one by then. */
const LONGEST_WAIT_MS = 3_600_000;

function waitForMs(nowMs: number, atMs: number | undefined): number | undefined {
  return atMs === undefined ? undefined : Math.max(0, atMs - nowMs);
}

function soonest(...times: (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(LONGEST_WAIT_MS, ...known);
}
