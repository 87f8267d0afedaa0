// Health of a pod, 0..100: how much of it is free, by the weights of the spec. Shown to people and read by the edge's
// weights. Pure. Not here: who has to give connections (load.ts), because only some of these numbers move with a connection.
import type { Reading } from "../cluster/facts.ts";
import type { PodLoad } from "../signals/snapshot.ts";
import type { LoadWeights } from "./settings.ts";

/** What counts as full. An undefined limit leaves its measure out of the score. */
export type PodLimits = {
  readonly cpuCores: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly messagesPerSecond: number | undefined;
  readonly responseSeconds: number | undefined;
};

export type Measure = keyof LoadWeights;

export type PodHealth =
  | {
      readonly kind: "known";
      /** 100 = idle, 0 = full. */
      readonly score: number;
      /** 0 = none used, 1 = all; of the measures that are known. */
      readonly used: Readonly<Partial<Record<Measure, number>>>;
      readonly missing: readonly Measure[];
    }
  | { readonly kind: "unknown"; readonly why: string };

/** With less than this share of the weights known a score would be a guess. */
const LEAST_KNOWN = 0.5;

/** @param weights sum to 1. */
export function healthOf(pod: PodLoad, limits: PodLimits, weights: LoadWeights): PodHealth {
  const used: Partial<Record<Measure, number>> = {};
  const missing: Measure[] = [];
  let weight = 0;
  let sum = 0;
  const measures: Readonly<Record<Measure, readonly [Reading<number>, number | undefined]>> = {
    connections: [pod.connections, pod.capacity],
    cpu: [pod.cpu, limits.cpuCores],
    memory: [pod.memoryBytes, limits.memoryBytes],
    messageRate: [pod.messagesPerSecond, limits.messagesPerSecond],
    responseTime: [pod.responseSeconds, limits.responseSeconds],
  };
  for (const [measure, [reading, limit]] of Object.entries(measures) as [Measure, (typeof measures)[Measure]][]) {
    if (reading.kind === "unknown" || limit === undefined || !(limit > 0)) {
      if (weights[measure] > 0) missing.push(measure);
      continue;
    }
    const share = Math.min(1, Math.max(0, reading.value / limit));
    used[measure] = share;
    weight += weights[measure];
    sum += weights[measure] * share;
  }
  if (weight < LEAST_KNOWN) {
    return {
      kind: "unknown",
      why: `only ${Math.round(weight * 100)} % of its score is known (missing: ${missing.join(", ")})`,
    };
  }
  return { kind: "known", score: Math.round(100 * (1 - sum / weight)), used, missing };
}

/**
 * 0..1: what is free of the scarcest resource. Connections are left out: `leastconn` counts them already.
 * Undefined when not even the CPU is known.
 */
export function headroomOf(health: PodHealth, lag: Reading<number>): number | undefined {
  if (health.kind === "unknown" || health.used.cpu === undefined) return undefined;
  const lagShare = lag.kind === "known" ? Math.min(1, lag.value / FULL_LAG_SECONDS) : 0;
  return 1 - Math.max(health.used.cpu, health.used.memory ?? 0, lagShare);
}

/** At this event-loop lag a pod reports full pressure. */
const FULL_LAG_SECONDS = 0.25;
