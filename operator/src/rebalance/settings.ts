// What a user may say about rebalancing, with defaults and in the units of the code. Pure.

import type { Taking } from "./plan-facts.ts";

/** Relative importance; any scale. */
export type LoadWeights = {
  readonly connections: number;
  readonly cpu: number;
  readonly memory: number;
  readonly messageRate: number;
  readonly responseTime: number;
};

export const DEFAULT_WEIGHTS: LoadWeights = { connections: 30, cpu: 25, memory: 15, messageRate: 20, responseTime: 10 };

export type RebalanceSettings = {
  /** Sums to 1. */
  readonly weights: LoadWeights;
  /** A pod further than this from the mean, held over the votes, starts a rebalance. */
  readonly maxImbalancePercent: number;
  /** Every pod is brought within this distance of the mean. */
  readonly bandPercent: number;
  /** After one rebalance none begins for this long. */
  readonly cooldownMs: number;
  /** Most connections that one rebalance moves, percent of the cluster's. */
  readonly maxMovePercent: number;
  /** A younger pod is never called hot: what it gets now is the rush to an empty pod. */
  readonly minAgeMs: number;
  /** A younger pod is never called cold: it had no time to fill. */
  readonly warmAgeMs: number;
  /** Share of the serving pods, percent, of which the load must be known. */
  readonly minKnownPercent: number;
  /** Part of a pod's capacity that a rebalance leaves free, percent. */
  readonly headroomPercent: number;
  readonly taking: Taking;
};

export type RebalanceSpec = {
  readonly maxImbalancePercent?: number | undefined;
  readonly weights?: { readonly [name in keyof LoadWeights]?: number | undefined } | undefined;
  readonly cooldownSeconds?: number | undefined;
  readonly maxMovePercent?: number | undefined;
  readonly minPodAgeSeconds?: number | undefined;
  readonly taking?: Taking | undefined;
};

/** A fifth of the threshold, so that noise and drift do not lead straight back; never wider than what is promised. */
const BAND_SHARE = 0.2;
const WIDEST_BAND_PERCENT = 8;

export function rebalanceSettingsFor(spec: RebalanceSpec = {}): RebalanceSettings {
  const minAgeMs = (spec.minPodAgeSeconds ?? 300) * 1_000;
  const maxImbalancePercent = spec.maxImbalancePercent ?? 30;
  return {
    weights: normalised({ ...DEFAULT_WEIGHTS, ...definedOf(spec.weights) }),
    maxImbalancePercent,
    bandPercent: Math.min(WIDEST_BAND_PERCENT, maxImbalancePercent * BAND_SHARE),
    cooldownMs: (spec.cooldownSeconds ?? 300) * 1_000,
    maxMovePercent: spec.maxMovePercent ?? 20,
    minAgeMs,
    warmAgeMs: Math.min(60_000, minAgeMs),
    minKnownPercent: 80,
    headroomPercent: 10,
    taking: spec.taking ?? "fewest",
  };
}

/** Weights that sum to 1. Nothing but zeros means that the user has no wish: the defaults. */
export function normalised(weights: LoadWeights): LoadWeights {
  const parts = Object.values(weights).map((weight) => (Number.isFinite(weight) && weight > 0 ? weight : 0));
  const sum = parts.reduce((all, part) => all + part, 0);
  if (sum === 0) return normalised(DEFAULT_WEIGHTS);
  const [connections = 0, cpu = 0, memory = 0, messageRate = 0, responseTime = 0] = [
    weights.connections,
    weights.cpu,
    weights.memory,
    weights.messageRate,
    weights.responseTime,
  ].map((weight) => (Number.isFinite(weight) && weight > 0 ? weight / sum : 0));
  return { connections, cpu, memory, messageRate, responseTime };
}

function definedOf(weights: RebalanceSpec["weights"]): Partial<LoadWeights> {
  return Object.fromEntries(Object.entries(weights ?? {}).filter(([, weight]) => weight !== undefined));
}
