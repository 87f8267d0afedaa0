// The load of a cluster at one moment, reduced from what was scraped. Unknown is its own value and says why; nobody can read
// a zero out of it. Pure: same pods and signals in any order, same snapshot.
import type { Reading } from "../cluster/facts.ts";
import type { PodSignal } from "./pod-signal.ts";
import type { Rate } from "./rates.ts";
import type { ChannelHeat } from "./reading.ts";

/** What the caller knows of a pod without scraping it. */
export type PodIdentity = {
  readonly key: string;
  readonly uid: string;
  /** Ready, attached, active. */
  readonly serves: boolean;
  /** Told to go, or already going: no target, no donor. */
  readonly going: boolean;
  /** Since it became ready. */
  readonly ageMs: number;
  /** Most connections it takes; undefined = not known. */
  readonly capacity: number | undefined;
  /** Connections that somebody else counts (the edge): a pod that disagrees is not believed. */
  readonly witnessed?: number;
  /** Partition table from `/state`, where `/metrics` has none. */
  readonly partitions?: readonly number[];
};

export type PodLoad = PodIdentity & {
  readonly connections: Reading<number>;
  /** Cores. */
  readonly cpu: Reading<number>;
  readonly memoryBytes: Reading<number>;
  /** In and out. */
  readonly messagesPerSecond: Reading<number>;
  readonly responseSeconds: Reading<number>;
  readonly lagSeconds: Reading<number>;
  /** Connections by partition. */
  readonly slices: Reading<readonly number[]>;
  readonly sliceMessages: Reading<readonly number[]>;
  readonly channels: Reading<readonly ChannelHeat[]>;
};

export type LoadSnapshot = {
  /** Monotonic. */
  readonly atMs: number;
  /** By key. */
  readonly pods: readonly PodLoad[];
};

/** Two intervals of 10 s and a slow answer. */
export const SCRAPE_FRESH_MS = 25_000;
/** A count may differ by what came and went between two looks. */
const WITNESS_SLACK = { share: 0.5, connections: 50 } as const;

export type SnapshotInput = {
  readonly nowMs: number;
  readonly pods: readonly PodIdentity[];
  /** By uid. */
  readonly signals: ReadonlyMap<string, PodSignal>;
  readonly freshMs?: number;
};

export function loadSnapshotFor({ nowMs, pods, signals, freshMs = SCRAPE_FRESH_MS }: SnapshotInput): LoadSnapshot {
  return {
    atMs: nowMs,
    pods: pods
      .map((pod) => podLoadFor(pod, signals.get(pod.uid), nowMs, freshMs))
      .toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)),
  };
}

function podLoadFor(pod: PodIdentity, signal: PodSignal | undefined, nowMs: number, freshMs: number): PodLoad {
  const silence = silenceOf(signal, nowMs, freshMs);
  const ageMs = signal === undefined ? 0 : Math.max(0, nowMs - signal.atMs);
  const read = <T>(value: T | undefined, why = "its metrics do not say it"): Reading<T> => {
    if (silence !== undefined) return { kind: "unknown", why: silence };
    return value === undefined ? { kind: "unknown", why } : { kind: "known", value, ageMs };
  };
  const { reading, rates } = signal ?? {};
  const connections = believed(pod, read(reading?.connections));
  return {
    ...pod,
    connections,
    cpu: rateReading(read, rates?.cpu),
    memoryBytes: read(reading?.memoryBytes),
    messagesPerSecond: rateReading(read, rates?.messages),
    responseSeconds: rateReading(read, rates?.responseSeconds),
    lagSeconds: read(reading?.lagSeconds),
    slices: agreeing(read(reading?.partitions ?? pod.partitions), connections),
    sliceMessages: read(rates?.partitions),
    channels: read(reading?.channels),
  };
}

/** Why nothing of this pod is known, if so. */
function silenceOf(signal: PodSignal | undefined, nowMs: number, freshMs: number): string | undefined {
  if (signal === undefined) return "it has not been scraped yet";
  if (signal.reading === undefined) return signal.lastFailure ?? "it has not been scraped yet";
  const ageMs = nowMs - signal.atMs;
  if (ageMs <= freshMs) return undefined;
  return `its last answer is ${Math.round(ageMs / 1_000)} s old: ${signal.lastFailure ?? "it was not asked again"}`;
}

function rateReading(
  read: (value: number | undefined, why?: string) => Reading<number>,
  rate: Rate | { readonly kind: "unknown"; readonly why: string } | undefined,
): Reading<number> {
  if (rate === undefined) return read(undefined);
  return rate.kind === "known" ? read(rate.perSecond) : read(undefined, rateTrouble(rate.why));
}

function rateTrouble(why: string): string {
  switch (why) {
    case "restarted":
      return "it restarted since the scrape before";
    case "idle":
      return "nothing was published";
    case "implausible":
      return "the rate is beyond belief";
    default:
      return `no rate yet (${why})`;
  }
}

function believed(pod: PodIdentity, connections: Reading<number>): Reading<number> {
  if (connections.kind === "unknown") return connections;
  const { value } = connections;
  if (!Number.isInteger(value))
    return { kind: "unknown", why: `it counts ${value} connections, which is no whole number` };
  // Admission stops at the capacity; named arrivals have a reserve of a tenth.
  if (pod.capacity !== undefined && value > 2 * pod.capacity) {
    return { kind: "unknown", why: `it counts ${value} connections and takes ${pod.capacity}` };
  }
  if (pod.witnessed !== undefined) {
    const slack = WITNESS_SLACK.connections + WITNESS_SLACK.share * Math.max(value, pod.witnessed);
    if (Math.abs(value - pod.witnessed) > slack) {
      return { kind: "unknown", why: `it counts ${value} connections, the edge counts ${pod.witnessed}` };
    }
  }
  return connections;
}

/** A partition table whose sum is far from the connections describes another moment or another pod. */
function agreeing(slices: Reading<readonly number[]>, connections: Reading<number>): Reading<readonly number[]> {
  if (slices.kind === "unknown") return slices;
  if (connections.kind === "unknown") return connections;
  const sum = slices.value.reduce((all, one) => all + one, 0);
  const slack = WITNESS_SLACK.connections + 0.2 * connections.value;
  if (Math.abs(sum - connections.value) <= slack && slices.value.every(Number.isInteger)) return slices;
  return { kind: "unknown", why: `its partitions sum to ${sum}, its connections to ${connections.value}` };
}
