// What one scrape says of a pod, checked number by number: what is missing, repeated, negative, not finite or beyond belief
// is undefined, never zero. Pure. Not here: rates (rates.ts), freshness (snapshot.ts).
import { PARTITIONS, type SERVER_METRICS } from "@wscluster/protocol";
import type { Exposition } from "./exposition.ts";
import type { Sample } from "./sample-line.ts";

export { PARTITIONS };

type ServerMetric = keyof typeof SERVER_METRICS;
const SERVER = {
  connections: "wscluster_connections",
  received: "wscluster_messages_received_total",
  delivered: "wscluster_deliveries_total",
  lag: "wscluster_event_loop_lag_seconds",
} as const satisfies Record<string, ServerMetric>;

/** The default metrics of prom-client, as any Prometheus client library names them. */
const PROCESS = {
  cpu: "process_cpu_seconds_total",
  memory: "process_resident_memory_bytes",
  start: "process_start_time_seconds",
} as const;

/** Sum and count of the histogram `wscluster_publish_seconds`. */
const PUBLISH = {
  sum: "wscluster_publish_seconds_sum",
  count: "wscluster_publish_seconds_count",
} as const satisfies Record<string, `${Extract<"wscluster_publish_seconds", ServerMetric>}_${string}`>;

/** Optional: pods that do not tell are balanced without slices. */
export const PARTITION_METRICS = {
  connections: "wscluster_partition_connections",
  messages: "wscluster_partition_messages_total",
  channel: "wscluster_channel_deliveries_per_second",
} as const satisfies Record<string, ServerMetric>;

export const SCRAPED_METRICS: ReadonlySet<string> = new Set([
  ...Object.values(SERVER),
  ...Object.values(PROCESS),
  ...Object.values(PUBLISH),
  ...Object.values(PARTITION_METRICS),
]);

export type ChannelHeat = { readonly channel: string; readonly deliveriesPerSecond: number };

/** Each number on its own: undefined = the pod did not say it, or nobody may believe it. */
export type PodReading = {
  /** Changes when the process was started anew. */
  readonly boot: string | undefined;
  readonly connections: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly lagSeconds: number | undefined;
  readonly cpuSecondsTotal: number | undefined;
  /** In and out. */
  readonly messagesTotal: number | undefined;
  readonly publishesTotal: number | undefined;
  readonly publishSecondsTotal: number | undefined;
  /** Connections by partition; `PARTITIONS` entries. */
  readonly partitions: readonly number[] | undefined;
  readonly partitionMessagesTotal: readonly number[] | undefined;
  /** The pod's busiest channels. */
  readonly channels: readonly ChannelHeat[] | undefined;
};

/** Beyond these a pod lies or counts in another unit. */
const BELIEVABLE = {
  connections: 10_000_000,
  memoryBytes: 2 ** 46,
  lagSeconds: 3_600,
  counter: Number.MAX_SAFE_INTEGER,
  perSecond: 1e9,
} as const;
const KEPT_CHANNELS = 32;

export function readingOf(exposition: Exposition): PodReading {
  const byName = Map.groupBy(exposition.samples, (sample) => sample.name);
  const samplesOf = (name: string): readonly Sample[] | undefined =>
    exposition.broken.has(name) ? undefined : byName.get(name);
  const one = (name: string, most: number): number | undefined => {
    const samples = samplesOf(name);
    return samples?.length === 1 ? amountOf(samples[0]?.value, most) : undefined;
  };
  const sum = (name: string): number | undefined => sumOf(samplesOf(name)?.map((sample) => sample.value));
  // A counter with labels has no sample before its first event: it is then silent, not unknown, if its neighbour speaks.
  const received = exposition.broken.has(SERVER.received)
    ? undefined
    : (sum(SERVER.received) ?? quietIfAbsent(byName, SERVER.received));
  const delivered = sum(SERVER.delivered);
  const start = one(PROCESS.start, BELIEVABLE.counter);
  return {
    boot: start === undefined ? undefined : String(start),
    connections: one(SERVER.connections, BELIEVABLE.connections),
    memoryBytes: one(PROCESS.memory, BELIEVABLE.memoryBytes),
    lagSeconds: one(SERVER.lag, BELIEVABLE.lagSeconds),
    cpuSecondsTotal: one(PROCESS.cpu, BELIEVABLE.counter),
    messagesTotal: received === undefined || delivered === undefined ? undefined : received + delivered,
    publishesTotal: sum(PUBLISH.count),
    publishSecondsTotal: sum(PUBLISH.sum),
    partitions: tableOf(samplesOf(PARTITION_METRICS.connections), BELIEVABLE.connections),
    partitionMessagesTotal: tableOf(samplesOf(PARTITION_METRICS.messages), BELIEVABLE.counter),
    channels: channelsOf(samplesOf(PARTITION_METRICS.channel)),
  };
}

/** A number that can be a count, else undefined. */
export function amountOf(value: number | undefined, most: number): number | undefined {
  return value !== undefined && value >= 0 && value <= most ? value : undefined;
}

function quietIfAbsent(byName: ReadonlyMap<string, readonly Sample[]>, name: string): number | undefined {
  return byName.has(name) ? undefined : 0;
}

function sumOf(values: readonly number[] | undefined): number | undefined {
  if (values === undefined || values.length === 0) return undefined;
  let sum = 0;
  for (const value of values) {
    if (amountOf(value, BELIEVABLE.counter) === undefined) return undefined;
    sum += value;
  }
  return sum;
}

/** Partitions without a line hold nothing: a pod that tells at all writes those that hold something. One bad line spoils all. */
function tableOf(samples: readonly Sample[] | undefined, most: number): readonly number[] | undefined {
  if (samples === undefined || samples.length === 0) return undefined;
  const table = Array.from({ length: PARTITIONS }, () => 0);
  const seen = new Set<number>();
  for (const { labels, value } of samples) {
    const text = labels.get("partition") ?? "";
    const partition = /^\d{1,3}$/.test(text) ? Number(text) : PARTITIONS;
    const amount = amountOf(value, most);
    if (partition >= PARTITIONS || amount === undefined || seen.has(partition)) return undefined;
    seen.add(partition);
    table[partition] = amount;
  }
  return table;
}

function channelsOf(samples: readonly Sample[] | undefined): readonly ChannelHeat[] | undefined {
  if (samples === undefined) return undefined;
  const heats = samples.flatMap(({ labels, value }) => {
    const channel = labels.get("channel");
    const deliveriesPerSecond = amountOf(value, BELIEVABLE.perSecond);
    return channel === undefined || deliveriesPerSecond === undefined ? [] : [{ channel, deliveriesPerSecond }];
  });
  return heats.toSorted((a, b) => b.deliveriesPerSecond - a.deliveriesPerSecond).slice(0, KEPT_CHANNELS);
}
