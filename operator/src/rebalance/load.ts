// One number per pod that says how much of the cluster's movable load it carries, and how that lies in its partitions. Pure.
// Only what leaves with a connection counts: connections, CPU and messages. Memory stays with the process and response time
// follows from the rest; both are in the health score.
import type { PodLoad, LoadSnapshot } from "../signals/snapshot.ts";
import type { LoadWeights, RebalanceSettings } from "./settings.ts";

export type MovableMeasure = "connections" | "cpu" | "messageRate";

export type RelativeLoads = {
  /** By key: 1 = the mean of the pods that are known. */
  readonly loads: ReadonlyMap<string, number>;
  /** What the numbers are made of; the same for all pods, so that they can be compared. */
  readonly measures: readonly MovableMeasure[];
  /** Serving pods of which too little is known, and why. */
  readonly unknown: ReadonlyMap<string, string>;
  /** Pods that serve and stay. */
  readonly serving: number;
  readonly meanConnections: number;
};

/**
 * Nobody's connections are believed to be more than this many times busier than the median pod's: a single wild number must
 * not turn the rest cold. It also keeps what an empty process burns by itself out of the load that can be moved.
 */
const MOST_OVER_MEDIAN = 8;

export function relativeLoadsOf(snapshot: LoadSnapshot, settings: RebalanceSettings): RelativeLoads {
  const serving = snapshot.pods.filter((pod) => pod.serves && !pod.going);
  const unknown = new Map<string, string>();
  const known: PodLoad[] = [];
  for (const pod of serving) {
    if (pod.connections.kind === "unknown") unknown.set(pod.key, pod.connections.why);
    else known.push(pod);
  }
  const measures = measuresOf(known, settings);
  const usable = known.filter((pod) => {
    const missing = measures.find((measure) => valueOf(pod, measure) === undefined);
    if (missing !== undefined) unknown.set(pod.key, `its ${missing} is not known`);
    return missing === undefined;
  });
  const loads = new Map<string, number>();
  const shares = weightsOf(measures, settings.weights);
  const connections = usable.map((pod) => valueOf(pod, "connections") ?? 0);
  for (const measure of measures) {
    const values =
      measure === "connections"
        ? connections
        : clamped(
            usable.map((pod) => valueOf(pod, measure) ?? 0),
            connections,
          );
    const mean = meanOf(values);
    usable.forEach((pod, index) => {
      const relative = mean > 0 ? (values[index] ?? 0) / mean : 1;
      loads.set(pod.key, (loads.get(pod.key) ?? 0) + (shares.get(measure) ?? 0) * relative);
    });
  }
  return {
    loads,
    measures,
    unknown,
    serving: serving.length,
    meanConnections: meanOf(connections),
  };
}

/** A measure that some pods do not report would compare apples with pears: it counts only where nearly all have it. */
function measuresOf(known: readonly PodLoad[], { weights, minKnownPercent }: RebalanceSettings): MovableMeasure[] {
  const enough = (measure: MovableMeasure): boolean =>
    known.filter((pod) => valueOf(pod, measure) !== undefined).length * 100 >= minKnownPercent * known.length;
  const measures = (["connections", "cpu", "messageRate"] as const).filter(
    (measure) => weights[measure] > 0 && known.length > 0 && enough(measure),
  );
  return measures.length > 0 ? measures : ["connections"];
}

export function weightsOf(
  measures: readonly MovableMeasure[],
  weights: LoadWeights,
): ReadonlyMap<MovableMeasure, number> {
  const sum = measures.reduce((all, measure) => all + weights[measure], 0);
  return new Map(measures.map((measure) => [measure, sum > 0 ? weights[measure] / sum : 1 / measures.length]));
}

function valueOf(pod: PodLoad, measure: MovableMeasure): number | undefined {
  const reading = { connections: pod.connections, cpu: pod.cpu, messageRate: pod.messagesPerSecond }[measure];
  return reading.kind === "known" && Number.isFinite(reading.value) && reading.value >= 0 ? reading.value : undefined;
}

function clamped(values: readonly number[], connections: readonly number[]): number[] {
  const each = values.flatMap((value, index) =>
    (connections[index] ?? 0) > 0 ? [value / (connections[index] ?? 1)] : [],
  );
  const median = each.toSorted((a, b) => a - b)[Math.floor((each.length - 1) / 2)] ?? 0;
  if (median === 0) return [...values];
  return values.map((value, index) => Math.min(value, MOST_OVER_MEDIAN * median * (connections[index] ?? 0)));
}

function meanOf(values: readonly number[]): number {
  return values.length === 0
    ? 0
    : values.toSorted((a, b) => a - b).reduce((sum, value) => sum + value, 0) / values.length;
}

/** Connections of one partition on one pod. `partition` undefined = the pod does not tell: any of its connections. */
export type Slice = { readonly partition: number | undefined; readonly connections: number; readonly load: number };

/** CPU goes to timers and heartbeats of each connection as well as to its messages; nobody can tell how much. */
const CPU_BY_COUNT = 0.5;

/**
 * Splits a pod's load over its partitions: the part that comes from connections by connections, the rest by messages where
 * the pod counts them by partition, else by connections too.
 */
export function slicesOf(
  pod: PodLoad,
  load: number,
  measures: readonly MovableMeasure[],
  weights: LoadWeights,
): readonly Slice[] {
  if (pod.connections.kind === "unknown") return [];
  const all = pod.connections.value;
  if (pod.slices.kind === "unknown") return all > 0 ? [{ partition: undefined, connections: all, load }] : [];
  const table = pod.slices.value;
  const sum = table.reduce((total, count) => total + count, 0);
  if (sum === 0) return all > 0 ? [{ partition: undefined, connections: all, load }] : [];
  const messages = pod.sliceMessages.kind === "known" ? pod.sliceMessages.value : undefined;
  const messageSum = messages?.reduce((total, rate) => total + rate, 0) ?? 0;
  const parts = weightsOf(measures, weights);
  const byCount = messageSum > 0 ? (parts.get("connections") ?? 0) + CPU_BY_COUNT * (parts.get("cpu") ?? 0) : 1;
  return table.flatMap((connections, partition) => {
    if (connections <= 0) return [];
    const share = byCount * (connections / sum) + (1 - byCount) * ((messages?.[partition] ?? 0) / (messageSum || 1));
    return [{ partition, connections, load: load * share }];
  });
}
