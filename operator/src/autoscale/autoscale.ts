// How many pods the load needs: up at once, down only after fewer would have done for a whole while, never on what is not known. Pure.
// Not here: how pods are made and emptied (cluster/decide/scale.ts), who else scales (cluster/controller.ts).

export type AutoscaleSpec = {
  readonly minReplicas?: number | undefined;
  readonly maxReplicas: number;
  readonly connectionsPerReplica?: number | undefined;
  readonly cpuPercent?: number | undefined;
  readonly scaleDownStabilizationSeconds?: number | undefined;
};

/** Undefined = not known: neither zero nor full. */
export type PodUse = { readonly connections: number | undefined; readonly cpuCores: number | undefined };

export type AutoscaleInput = {
  readonly nowMs: number;
  readonly spec: AutoscaleSpec;
  /** Pods that are wanted now. */
  readonly present: number;
  /** Pods that hold connections, also those that are being emptied: their clients come back to the others. */
  readonly pods: readonly PodUse[];
  /** What a pod may use. */
  readonly coresPerPod: number;
  /** During a rollout the number of pods never falls. */
  readonly isRolling: boolean;
};

export type AutoscaleMemory = {
  /** Since when wishes are remembered. */
  readonly sinceMs: number | undefined;
  readonly wishes: readonly { readonly atMs: number; readonly wanted: number }[];
};

export const NO_WISHES: AutoscaleMemory = { sinceMs: undefined, wishes: [] };

export type AutoscaleAnswer = {
  readonly memory: AutoscaleMemory;
  /** What the load needs, within the limits; undefined while too little is known to say. */
  readonly wanted: number | undefined;
  readonly replicas: number;
  readonly message: string;
  /** When it may go down by itself, if that is waited for. */
  readonly waitMs: number | undefined;
};

const DEFAULT_MIN = 2;
const DEFAULT_STABILIZATION_SECONDS = 300;
/** A load that is this near to what the pods are to have changes nothing (as HorizontalPodAutoscaler has it). */
const TOLERANCE = 0.1;
/** Doubled at most in one step, and by four where that is little: a wild number must not order a whole fleet. */
const STEP = { factor: 2, pods: 4 } as const;

type Need = { readonly low: number; readonly high: number; readonly text: string };

export function nextAutoscale(before: AutoscaleMemory, input: AutoscaleInput): AutoscaleAnswer {
  const { nowMs, spec, present, isRolling } = input;
  const min = Math.min(spec.minReplicas ?? DEFAULT_MIN, spec.maxReplicas);
  const within = (count: number): number => Math.min(spec.maxReplicas, Math.max(min, count));
  const needs = needsOf(input);
  // Of several measures the one that needs most counts.
  const low = Math.max(0, ...needs.map((need) => need.low));
  const high = Math.max(0, ...needs.map((need) => need.high));
  const wanted = low > present ? low : high < present ? high : present;
  const isKnown = low === high || wanted !== present;
  const windowMs = (spec.scaleDownStabilizationSeconds ?? DEFAULT_STABILIZATION_SECONDS) * 1_000;
  const sinceMs = before.sinceMs ?? nowMs;
  const wishes = [
    ...before.wishes.filter((wish) => nowMs - wish.atMs < windowMs),
    { atMs: nowMs, wanted: within(wanted) },
  ];
  const memory: AutoscaleMemory = { sinceMs, wishes: thinned(wishes) };
  const answer = (replicas: number, text: string, waitMs?: number): AutoscaleAnswer => ({
    memory,
    wanted: isKnown ? within(wanted) : undefined,
    replicas,
    message: `${needs.map((need) => need.text).join(", ")}: ${text}`,
    waitMs,
  });

  if (within(present) > present) return answer(within(present), `at least ${min} pods`);
  const up = within(wanted);
  if (up > present) {
    const most = Math.max(present * STEP.factor, present + STEP.pods);
    return answer(Math.min(up, most), `from ${present} to ${Math.min(up, most)} pods`);
  }
  // The most that was needed in the whole window; without a whole window of memory nobody knows.
  const needed = Math.max(...wishes.map((wish) => wish.wanted));
  if (needed < present && !isRolling) {
    const waitMs = sinceMs + windowMs - nowMs;
    if (waitMs <= 0) return answer(needed, `from ${present} to ${needed} pods`);
    return answer(present, `${needed} pods would do; waits until that held for ${windowMs / 1_000} s`, waitMs);
  }
  if (up < present) {
    const why = isRolling ? "not during a rollout" : `more were needed less than ${windowMs / 1_000} s ago`;
    return answer(present, `${up} pods would do; ${why}`);
  }
  if (!isKnown) return answer(present, `${present} pods stay: too little is known to change that`);
  return answer(present, `${present} pods`);
}

/** Between these any number of pods may be right: those that say nothing count as empty for more pods, and as full for fewer. */
function needsOf({ spec, pods, coresPerPod, present }: AutoscaleInput): readonly Need[] {
  const needs: Need[] = [];
  const add = (
    name: string,
    target: number,
    valueOf: (pod: PodUse) => number | undefined,
    show: (sum: number) => string,
  ) => {
    const known = pods.flatMap((pod) => valueOf(pod) ?? []);
    const unknown = pods.length - known.length;
    const sum = known.reduce((all, one) => all + one, 0);
    const text = `${show(sum)} ${name}${unknown === 0 ? "" : ` (${unknown} of ${pods.length} pods say nothing)`}`;
    needs.push({ low: podsFor(sum, target, present), high: podsFor(sum + unknown * target, target, present), text });
  };
  if (spec.connectionsPerReplica !== undefined) {
    add("connections", spec.connectionsPerReplica, (pod) => pod.connections, String);
  }
  if (spec.cpuPercent !== undefined) {
    add(
      "cores of CPU",
      (coresPerPod * spec.cpuPercent) / 100,
      (pod) => pod.cpuCores,
      (sum) => sum.toFixed(1),
    );
  }
  return needs;
}

function podsFor(sum: number, target: number, present: number): number {
  const ratio = present > 0 ? sum / (present * target) : Infinity;
  return Math.abs(ratio - 1) <= TOLERANCE ? present : Math.ceil(sum / target - 1e-9);
}

/** Of neighbours that wish the same only the newest is kept, so that a long window stays short. */
function thinned(wishes: AutoscaleMemory["wishes"]): AutoscaleMemory["wishes"] {
  return wishes.filter((wish, index) => wishes[index + 1]?.wanted !== wish.wanted || index === wishes.length - 1);
}
