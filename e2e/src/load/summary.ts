// One summary of several load processes, whose rooms are disjoint. Pure.
import type { Verdict } from "../oracle/evidence.ts";
import { Histogram, quantileOf } from "./histogram.ts";
import type { LoadStats, LoadSummary } from "./messages.ts";

const sumOf = <T>(parts: readonly T[], of: (part: T) => number): number =>
  parts.reduce((total, part) => total + of(part), 0);
const maxOf = <T>(parts: readonly T[], of: (part: T) => number): number => Math.max(0, ...parts.map(of));

export function mergeVerdicts(parts: readonly Verdict[]): Verdict {
  const published = sumOf(parts, (part) => part.published);
  return {
    ok: parts.length > 0 && parts.every((part) => part.ok),
    lost: sumOf(parts, (part) => part.lost),
    duplicated: sumOf(parts, (part) => part.duplicated),
    reordered: sumOf(parts, (part) => part.reordered),
    forked: sumOf(parts, (part) => part.forked),
    channels: sumOf(parts, (part) => part.channels),
    subscriptions: sumOf(parts, (part) => part.subscriptions),
    witnesses: sumOf(parts, (part) => part.witnesses),
    published,
    acknowledged: sumOf(parts, (part) => part.acknowledged),
    unanswered: sumOf(parts, (part) => part.unanswered),
    delivered: sumOf(parts, (part) => part.delivered),
    expected: sumOf(parts, (part) => part.expected),
    availabilityPercent:
      published === 0 ? 100 : sumOf(parts, (part) => part.availabilityPercent * part.published) / published,
    hashes: new Map(parts.flatMap((part) => [...part.hashes])),
    weak: parts.flatMap((part) => part.weak),
    examples: parts.flatMap((part) => part.examples),
  };
}

export function mergeSummaries(parts: readonly LoadSummary[]): LoadSummary {
  const latency = new Histogram();
  for (const part of parts) latency.merge(part.latency);
  const gapsMs = parts.flatMap((part) => part.gapsMs);
  const holdsMs = parts.flatMap((part) => part.holdsMs);
  return {
    verdict: mergeVerdicts(parts.map((part) => part.verdict)),
    clients: sumOf(parts, (part) => part.clients),
    moves: sumOf(parts, (part) => part.moves),
    movedClients: sumOf(parts, (part) => part.movedClients),
    makeBeforeBreak: sumOf(parts, (part) => part.makeBeforeBreak),
    resumes: sumOf(parts, (part) => part.resumes),
    resets: sumOf(parts, (part) => part.resets),
    cut: sumOf(parts, (part) => part.cut),
    disconnects: sumOf(parts, (part) => part.disconnects),
    toldGaps: sumOf(parts, (part) => part.toldGaps),
    p99GapMs: quantileOf(gapsMs, 0.99),
    maxGapMs: maxOf(parts, (part) => part.maxGapMs),
    gapsMs,
    p99HoldMs: quantileOf(holdsMs, 0.99),
    maxHoldMs: maxOf(parts, (part) => part.maxHoldMs),
    holdsMs,
    deliveryP50Ms: latency.quantileMs(0.5),
    deliveryP99Ms: latency.quantileMs(0.99),
    deliveryMaxMs: latency.maxMs,
    latency: latency.data(),
    begunAtMs: parts.flatMap((part) => part.begunAtMs).toSorted((a, b) => a - b),
    committedAtMs: parts.flatMap((part) => part.committedAtMs).toSorted((a, b) => a - b),
    seconds: maxOf(parts, (part) => part.seconds),
  };
}

export function mergeStats(parts: readonly LoadStats[]): LoadStats {
  const pods = new Map<string, number>();
  for (const part of parts) for (const [pod, count] of part.pods) pods.set(pod, (pods.get(pod) ?? 0) + count);
  return {
    clients: sumOf(parts, (part) => part.clients),
    connected: sumOf(parts, (part) => part.connected),
    published: sumOf(parts, (part) => part.published),
    acknowledged: sumOf(parts, (part) => part.acknowledged),
    delivered: sumOf(parts, (part) => part.delivered),
    moved: sumOf(parts, (part) => part.moved),
    resumed: sumOf(parts, (part) => part.resumed),
    cut: sumOf(parts, (part) => part.cut),
    faults: sumOf(parts, (part) => part.faults),
    maxGapMs: maxOf(parts, (part) => part.maxGapMs),
    maxHoldMs: maxOf(parts, (part) => part.maxHoldMs),
    pods,
  };
}
