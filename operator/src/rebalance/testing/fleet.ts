// Snapshots of invented fleets for tests.
import type { Reading } from "../../cluster/facts.ts";
import type { LoadSnapshot, PodLoad } from "../../signals/snapshot.ts";

export type InventedPod = {
  readonly key: string;
  readonly connections?: number | undefined;
  /** Cores and messages per second per connection. */
  readonly weight?: number;
  readonly capacity?: number | undefined;
  readonly ageMs?: number;
  readonly going?: boolean;
  readonly partitions?: readonly number[];
  readonly partitionMessages?: readonly number[];
};

export function known<T>(value: T | undefined): Reading<T> {
  return value === undefined ? { kind: "unknown", why: "not told" } : { kind: "known", value, ageMs: 0 };
}

export function podLoad(pod: InventedPod): PodLoad {
  const { key, connections, weight = 1, ageMs = 3_600_000, going = false } = pod;
  const busy = connections === undefined ? undefined : connections * weight;
  return {
    key,
    uid: key,
    serves: true,
    going,
    ageMs,
    capacity: "capacity" in pod ? pod.capacity : 100_000,
    connections: known(connections),
    cpu: known(busy === undefined ? undefined : busy / 10_000),
    memoryBytes: known(200_000_000),
    messagesPerSecond: known(busy),
    responseSeconds: known(0.01),
    lagSeconds: known(0.001),
    slices: known(pod.partitions),
    sliceMessages: known(pod.partitionMessages),
    channels: { kind: "unknown", why: "not told" },
  };
}

export function snapshotOf(atMs: number, pods: readonly InventedPod[]): LoadSnapshot {
  return { atMs, pods: pods.map(podLoad).toSorted((a, b) => (a.key < b.key ? -1 : 1)) };
}
