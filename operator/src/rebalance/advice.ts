// What should be done about the balance now: from a snapshot and what is remembered, an advice and the next memory. Pure.
// Not here: who approves, proposals and grants (proposal.ts, grants.ts).
import type { LoadSnapshot, PodLoad } from "../signals/snapshot.ts";
import { highOf, NO_TRACKS, nextHeat, smoothedLoads, type HeatTracks } from "./heat.ts";
import { relativeLoadsOf, slicesOf, type RelativeLoads } from "./load.ts";
import { imbalancePercentOf, type PlanPod } from "./plan-facts.ts";
import { planRebalance, type RebalancePlan } from "./planner.ts";
import type { RebalanceSettings } from "./settings.ts";

export type RebalanceMemory = {
  readonly heat: HeatTracks;
  /** When the last snapshot was counted. */
  readonly sampledAtMs: number | undefined;
  readonly quietUntilMs: number;
  /** What the last plan promised, until it can be compared with what came out. */
  readonly expecting: { readonly predictedPercent: number } | undefined;
  /** Plans in a row that did not bring what they promised. */
  readonly misses: number;
};

export const NO_MEMORY: RebalanceMemory = {
  heat: NO_TRACKS,
  sampledAtMs: undefined,
  quietUntilMs: 0,
  expecting: undefined,
  misses: 0,
};

export type Cause =
  /** One partition makes the pod hot: its connections are spread. */
  | { readonly kind: "hot-key"; readonly pod: string; readonly partition: number; readonly loadPercent: number }
  /** Hot without one culprit: the fewest connections leave. */
  | { readonly kind: "hot-pod"; readonly pod: string; readonly loadPercent: number }
  | { readonly kind: "cold-pod"; readonly pod: string; readonly loadPercent: number };

export type Outcome = {
  readonly predictedPercent: number;
  readonly actualPercent: number;
  /** actual - predicted, in points. */
  readonly errorPoints: number;
  readonly isAsPredicted: boolean;
};

export type AdviceKind = "unknown" | "balanced" | "watching" | "quiet" | "stuck" | "plan";
export type Advice = {
  readonly kind: AdviceKind;
  /** For the condition `Balanced` and for people. */
  readonly message: string;
  /** Smoothed; undefined while not known. */
  readonly imbalancePercent: number | undefined;
  readonly causes: readonly Cause[];
  /** `POD/PARTITION` and `POD/CHANNEL` that alone are a large part of a pod. */
  readonly hotPartitions: readonly string[];
  readonly hotChannels: readonly string[];
  readonly plan: RebalancePlan | undefined;
  /** The last plan against what came of it, once. */
  readonly outcome: Outcome | undefined;
};

/** Nearer snapshots repeat the same scrapes: they must not vote twice. */
const SAMPLE_MS = 8_000;
/** A prediction is good within this. */
const GOOD_POINTS = 5;
const LONGEST_COOLDOWN_MS = 3_600_000;
const LEAST_PODS = 2;

export function advise(
  memory: RebalanceMemory,
  snapshot: LoadSnapshot,
  settings: RebalanceSettings,
): { readonly memory: RebalanceMemory; readonly advice: Advice } {
  const relative = relativeLoadsOf(snapshot, settings);
  const isNew = memory.sampledAtMs === undefined || snapshot.atMs - memory.sampledAtMs >= SAMPLE_MS;
  const heat = isNew ? nextHeat(memory.heat, snapshot, relative, settings) : memory.heat;
  const loads = loadsNow(heat, snapshot, relative);
  const imbalancePercent = loads === undefined ? undefined : imbalancePercentOf([...loads.values()]);
  const outcome = outcomeOf(memory, imbalancePercent);
  const counted = { ...memory, heat, sampledAtMs: isNew ? snapshot.atMs : memory.sampledAtMs };
  const next = outcome === undefined ? counted : memoryAfterOutcome(counted, outcome, snapshot.atMs, settings);
  const answer = (kind: AdviceKind, message: string, rest: Partial<Advice> = {}) => ({
    memory: next,
    advice: {
      kind,
      message,
      imbalancePercent,
      causes: [],
      hotPartitions: highOf(heat.partitions),
      hotChannels: highOf(heat.channels),
      plan: undefined,
      outcome,
      ...rest,
    },
  });

  const blind = blindnessOf(relative, settings);
  if (blind !== undefined) return answer("unknown", blind);
  if (loads === undefined || imbalancePercent === undefined) return answer("unknown", "not enough scrapes yet");
  const hot = new Set(highOf(heat.hot));
  const cold = new Set(highOf(heat.cold));
  const shown = `the farthest pod is ${Math.round(imbalancePercent)} % from the mean (limit ${settings.maxImbalancePercent} %)`;
  // Votes look back: what they are about may have passed meanwhile.
  const isOver = imbalancePercent <= settings.maxImbalancePercent / 2;
  if ((hot.size === 0 && cold.size === 0) || isOver) {
    if (imbalancePercent <= settings.maxImbalancePercent) return answer("balanced", shown);
    return answer("watching", `${shown}; too short or too young to act`);
  }
  const causes = causesOf(snapshot, loads, relative, settings, hot, cold);
  if (snapshot.atMs < next.quietUntilMs) {
    const seconds = Math.ceil((next.quietUntilMs - snapshot.atMs) / 1_000);
    return answer("quiet", `${shown}; the next rebalance may begin in ${seconds} s`, { causes });
  }
  const plan = planNow(snapshot, loads, relative, settings);
  if (plan.moves.length === 0) return answer("stuck", `${shown}; no move helps (${plan.limitedBy})`, { causes });
  const text = `${shown}; ${plan.moved} connections to move, then ${Math.round(plan.predictedPercent)} %`;
  return answer("plan", text, { causes, plan });
}

/**
 * After the last move of a plan, also of one that was stopped. What was seen before it describes another cluster.
 * @param predictedPercent undefined: the plan was not carried out as promised, there is nothing to compare.
 */
export function memoryAfterPlan(
  memory: RebalanceMemory,
  nowMs: number,
  settings: RebalanceSettings,
  predictedPercent: number | undefined,
): RebalanceMemory {
  return {
    heat: NO_TRACKS,
    sampledAtMs: undefined,
    quietUntilMs: nowMs + cooldownOf(memory.misses, settings),
    expecting: predictedPercent === undefined ? undefined : { predictedPercent },
    misses: memory.misses,
  };
}

/** The plan for what is known now, without votes or pauses: for requests of a person. */
export function planOnRequest(
  memory: RebalanceMemory,
  snapshot: LoadSnapshot,
  settings: RebalanceSettings,
): RebalancePlan | undefined {
  const relative = relativeLoadsOf(snapshot, settings);
  if (blindnessOf(relative, settings) !== undefined) return undefined;
  const loads = loadsNow(memory.heat, snapshot, relative);
  // Whoever asks knows his pods: their age is no reason to refuse.
  return loads === undefined ? undefined : planNow(snapshot, loads, relative, { ...settings, minAgeMs: 0 });
}

/** Why the cluster is seen too badly to act, if so. */
function blindnessOf({ loads, unknown, serving }: RelativeLoads, settings: RebalanceSettings): string | undefined {
  if (serving < LEAST_PODS) return `${serving} pods serve: there is nobody to share with`;
  if (loads.size >= LEAST_PODS && loads.size * 100 >= settings.minKnownPercent * serving) return undefined;
  const [first] = [...unknown].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const example = first === undefined ? "" : ` (${first[0]}: ${first[1]})`;
  return `the load of ${unknown.size} of ${serving} pods is not known${example}`;
}

/** Undefined while too few pods have been seen long enough. */
function loadsNow(
  heat: HeatTracks,
  snapshot: LoadSnapshot,
  relative: RelativeLoads,
): ReadonlyMap<string, number> | undefined {
  const loads = smoothedLoads(heat, snapshot, relative);
  return loads.size < LEAST_PODS || loads.size * 2 < relative.loads.size ? undefined : loads;
}

function planNow(
  snapshot: LoadSnapshot,
  loads: ReadonlyMap<string, number>,
  relative: RelativeLoads,
  settings: RebalanceSettings,
): RebalancePlan {
  const pods = planPodsFor(snapshot, loads, relative, settings);
  const connections = pods.reduce((sum, pod) => sum + pod.connections, 0);
  const maxMoves = Math.floor((connections * settings.maxMovePercent) / 100);
  return planRebalance({ pods, bandPercent: settings.bandPercent, maxMoves, taking: settings.taking });
}

/** @param loads by key, mean 1. Pods that are not in it take no part. */
export function planPodsFor(
  snapshot: LoadSnapshot,
  loads: ReadonlyMap<string, number>,
  relative: RelativeLoads,
  settings: RebalanceSettings,
): readonly PlanPod[] {
  return snapshot.pods.flatMap((pod): PlanPod[] => {
    const load = loads.get(pod.key);
    if (load === undefined || pod.connections.kind === "unknown" || pod.going || !pod.serves) return [];
    const connections = pod.connections.value;
    const inConnections = load * Math.max(1, relative.meanConnections);
    // A pod that does not say what it takes gets nothing: unknown is neither zero nor endless.
    const usable = pod.capacity === undefined ? 0 : Math.floor(pod.capacity * (1 - settings.headroomPercent / 100));
    return [
      {
        key: pod.key,
        load: inConnections,
        connections,
        room: Math.max(0, usable - connections),
        mayGive: pod.ageMs >= settings.minAgeMs,
        mayTake: usable > connections,
        slices: slicesOf(pod, inConnections, relative.measures, settings.weights),
      },
    ];
  });
}

function causesOf(
  snapshot: LoadSnapshot,
  loads: ReadonlyMap<string, number>,
  relative: RelativeLoads,
  settings: RebalanceSettings,
  hot: ReadonlySet<string>,
  cold: ReadonlySet<string>,
): readonly Cause[] {
  return snapshot.pods.flatMap((pod): Cause[] => {
    const load = loads.get(pod.key);
    if (load === undefined) return [];
    const loadPercent = Math.round(100 * load);
    if (cold.has(pod.key)) return [{ kind: "cold-pod", pod: pod.key, loadPercent }];
    if (!hot.has(pod.key)) return [];
    const partition = culpritOf(pod, load, relative, settings);
    if (partition === undefined) return [{ kind: "hot-pod", pod: pod.key, loadPercent }];
    return [{ kind: "hot-key", pod: pod.key, partition, loadPercent }];
  });
}

/** The partition that alone accounts for half of what the pod carries above the mean. */
function culpritOf(
  pod: PodLoad,
  load: number,
  relative: RelativeLoads,
  settings: RebalanceSettings,
): number | undefined {
  const [largest] = slicesOf(pod, load, relative.measures, settings.weights).toSorted((a, b) => b.load - a.load);
  return largest !== undefined && largest.load >= (load - 1) / 2 ? largest.partition : undefined;
}

function outcomeOf({ expecting }: RebalanceMemory, actualPercent: number | undefined): Outcome | undefined {
  if (expecting === undefined || actualPercent === undefined) return undefined;
  const errorPoints = actualPercent - expecting.predictedPercent;
  return {
    predictedPercent: expecting.predictedPercent,
    actualPercent,
    errorPoints,
    isAsPredicted: errorPoints <= GOOD_POINTS,
  };
}

/** A pod whose numbers do not follow its connections (they lie, or another cause drives them) is not to be emptied again and again. */
function memoryAfterOutcome(
  memory: RebalanceMemory,
  outcome: Outcome,
  nowMs: number,
  settings: RebalanceSettings,
): RebalanceMemory {
  if (outcome.isAsPredicted) return { ...memory, expecting: undefined, misses: 0 };
  const misses = memory.misses + 1;
  return { ...memory, expecting: undefined, misses, quietUntilMs: nowMs + cooldownOf(misses, settings) };
}

function cooldownOf(misses: number, { cooldownMs }: RebalanceSettings): number {
  return misses === 0 ? cooldownMs : Math.max(cooldownMs, Math.min(LONGEST_COOLDOWN_MS, cooldownMs * 2 ** misses));
}
