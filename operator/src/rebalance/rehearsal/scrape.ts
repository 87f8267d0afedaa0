// What scraping an invented fleet shows: noise, lost scrapes and now and then a lie; and what is true. Same seed, same noise.
import type { Reading } from "../../cluster/facts.ts";
import { PARTITIONS } from "../../signals/reading.ts";
import { SCRAPE_FRESH_MS, type LoadSnapshot, type PodLoad } from "../../signals/snapshot.ts";
import { relativeLoadsOf } from "../load.ts";
import { imbalancePercentOf, type PlanPod } from "../plan-facts.ts";
import { planPodsFor } from "../advice.ts";
import type { RebalanceSettings } from "../settings.ts";
import type { Fleet, Random } from "./fleet.ts";

export type Noise = {
  /** Standard deviation of CPU and message rate, share of the value. */
  readonly deviation: number;
  readonly lostShare: number;
  readonly lieShare: number;
};

export const QUIET: Noise = { deviation: 0, lostShare: 0, lieShare: 0 };
const CAPACITY_FACTOR = 2;
const LIES = [Number.NaN, -5, 1e9, 0, Infinity] as const;

export function keyOf(pod: number): string {
  return `pod-${String(pod).padStart(4, "0")}`;
}

export function scrape(
  fleet: Fleet,
  atMs: number,
  { deviation, lostShare, lieShare }: Noise,
  random: Random,
  before?: LoadSnapshot,
): LoadSnapshot {
  const lastByKey = new Map(before?.pods.map((pod) => [pod.key, pod]));
  const capacity = Math.ceil((CAPACITY_FACTOR * fleet.connections()) / fleet.pods);
  const pods: PodLoad[] = [];
  for (let pod = 0; pod < fleet.pods; pod++) {
    if (!fleet.isUp(pod, atMs)) continue;
    const last = lastByKey.get(keyOf(pod));
    if (random() < lostShare && last !== undefined) {
      pods.push(agedBy(last, atMs - (before?.atMs ?? atMs)));
      continue;
    }
    const lie = random() < lieShare ? LIES[Math.floor(random() * LIES.length)] : undefined;
    const read = <T>(value: T): Reading<T> => ({ kind: "known", value, ageMs: 0 });
    const connections = fleet.totals[pod] ?? 0;
    const messages = fleet.messagesOf(pod);
    const cpu = 0.01 + connections * 5e-5 + messages * 2e-4;
    const from = pod * PARTITIONS;
    const table = Array.from(fleet.counts.subarray(from, from + PARTITIONS));
    pods.push({
      key: keyOf(pod),
      uid: keyOf(pod),
      serves: true,
      going: false,
      ageMs: atMs - (fleet.bornAtMs[pod] ?? 0),
      capacity,
      connections: read(connections),
      cpu: read(lie ?? cpu * (1 + deviation * gauss(random))),
      memoryBytes: read(2e8),
      messagesPerSecond: read(lie ?? messages * (1 + deviation * gauss(random))),
      responseSeconds: read(0.01),
      lagSeconds: read(0.001),
      slices: read(table),
      sliceMessages: read(table.map((count, partition) => count * (fleet.rates[partition] ?? 0))),
      channels: { kind: "unknown", why: "not told" },
    });
  }
  return { atMs, pods };
}

/** The fleet as it is: loads without noise, and the farthest pod. */
export function truthOf(
  fleet: Fleet,
  atMs: number,
  settings: RebalanceSettings,
): { readonly percent: number; readonly pods: () => readonly PlanPod[] } {
  const snapshot = scrape(fleet, atMs, QUIET, () => 0.5);
  const relative = relativeLoadsOf(snapshot, settings);
  return {
    percent: imbalancePercentOf([...relative.loads.values()]),
    pods: () => planPodsFor(snapshot, relative.loads, relative, settings),
  };
}

/** One lost scrape ages what is known of a pod; after that nothing is. */
function agedBy(pod: PodLoad, deltaMs: number): PodLoad {
  const aged = <T>(reading: Reading<T>): Reading<T> => {
    if (reading.kind === "unknown" || reading.ageMs + deltaMs <= SCRAPE_FRESH_MS) {
      return reading.kind === "unknown" ? reading : { ...reading, ageMs: reading.ageMs + deltaMs };
    }
    return { kind: "unknown", why: "lost" };
  };
  return {
    ...pod,
    ageMs: pod.ageMs + deltaMs,
    connections: aged(pod.connections),
    cpu: aged(pod.cpu),
    messagesPerSecond: aged(pod.messagesPerSecond),
    slices: aged(pod.slices),
    sliceMessages: aged(pod.sliceMessages),
  };
}

/** Sum of four: near enough to a bell, and bounded. */
function gauss(random: Random): number {
  return (random() + random() + random() + random() - 2) * Math.sqrt(3);
}
