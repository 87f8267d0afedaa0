// From what a pod's metrics say to what it counted over an interval, and from pods to their set. Pure. Not here: scraping
// (analysis.ts), what the counts mean (judge.ts).
import type { SERVER_METRICS } from "@wscluster/protocol";
import type { Exposition } from "../signals/index.ts";
import { EVENT_NAMES, type EventCounts, type EventName, type SetMeasure } from "./judge.ts";

type CounterName = keyof typeof SERVER_METRICS;
type Source = { readonly metric: CounterName; readonly where?: readonly [label: string, value: string] };

const SOURCES = {
  opened: { metric: "wscluster_connections_opened_total" },
  refused: { metric: "wscluster_refused_upgrades_total" },
  resumed: { metric: "wscluster_resumes_total", where: ["way", "resumed"] },
  moved: { metric: "wscluster_resumes_total", where: ["way", "moved"] },
  failedResumes: { metric: "wscluster_failed_resumes_total" },
  gaps: { metric: "wscluster_gaps_total" },
  errors: { metric: "wscluster_errors_total" },
  received: { metric: "wscluster_messages_received_total" },
  publishes: { metric: "wscluster_publishes_total" },
  duplicates: { metric: "wscluster_publishes_total", where: ["result", "dup"] },
} as const satisfies Record<Exclude<EventName, "publishSeconds">, Source>;

const PUBLISH_SECONDS =
  "wscluster_publish_seconds_sum" satisfies `${Extract<CounterName, "wscluster_publish_seconds">}_sum`;
const START = "process_start_time_seconds";

export const JUDGED_METRICS: ReadonlySet<string> = new Set([
  ...Object.values(SOURCES).map(({ metric }) => metric),
  PUBLISH_SECONDS,
  START,
]);

/** The counters of one pod at one moment. */
export type PodCounters = {
  /** Changes when the process begins anew. */
  readonly boot: number | undefined;
  readonly events: EventCounts;
};

export function countersOf(exposition: Exposition): PodCounters {
  const sumOf = (metric: string, where?: Source["where"]): number | undefined => {
    if (exposition.broken.has(metric)) return undefined;
    const samples = exposition.samples.filter(({ name }) => name === metric);
    // A counter with labels has no line before its first event; one that is not even declared is not counted at all.
    if (samples.length === 0 && !exposition.declared.has(metric)) return undefined;
    const meant = samples.filter(({ labels }) => where === undefined || labels.get(where[0]) === where[1]);
    const total = meant.reduce((all, { value }) => all + value, 0);
    return Number.isFinite(total) && total >= 0 ? total : undefined;
  };
  const eventOf = (name: EventName): number | undefined => {
    if (name === "publishSeconds") return sumOf(PUBLISH_SECONDS);
    const { metric, where }: Source = SOURCES[name];
    return sumOf(metric, where);
  };
  return { boot: sumOf(START), events: countsFrom(eventOf) };
}

/** What is known of a pod over an interval. */
export type PodMeasure = {
  readonly name: string;
  /** At the begin and now; undefined = it has not been read. */
  readonly first: PodCounters | undefined;
  readonly last: PodCounters | undefined;
  /** Why `last` is not of now, if so. */
  readonly trouble: string | undefined;
};

export function setMeasureFor(pods: readonly PodMeasure[], pressure: number | undefined): SetMeasure {
  const silent = pods.flatMap(({ name, first, last, trouble }) => {
    if (first !== undefined && last !== undefined && trouble === undefined) return [];
    return [{ name, why: trouble ?? "it has not been read yet" }];
  });
  const restarted = pods.flatMap(({ name, first, last }) => (hasRestarted(first, last) ? [name] : []));
  const readable = pods.filter(({ first, last }) => first !== undefined && last !== undefined);
  const events = countsFrom((name) => {
    if (readable.length === 0) return undefined;
    return readable.reduce<number | undefined>((all, { first, last }) => {
      const [from, to] = [first?.events[name], last?.events[name]];
      if (all === undefined || from === undefined || to === undefined) return undefined;
      // Whoever began anew has counted from zero.
      return all + (hasRestarted(first, last) ? to : Math.max(0, to - from));
    }, 0);
  });
  return { pods: pods.length, silent, restarted, events, pressure };
}

function hasRestarted(first: PodCounters | undefined, last: PodCounters | undefined): boolean {
  if (first === undefined || last === undefined) return false;
  if (first.boot !== undefined && last.boot !== undefined) return first.boot !== last.boot;
  return EVENT_NAMES.some((name) => (last.events[name] ?? Infinity) < (first.events[name] ?? 0));
}

function countsFrom(countOf: (name: EventName) => number | undefined): EventCounts {
  return {
    opened: countOf("opened"),
    refused: countOf("refused"),
    resumed: countOf("resumed"),
    moved: countOf("moved"),
    failedResumes: countOf("failedResumes"),
    gaps: countOf("gaps"),
    errors: countOf("errors"),
    received: countOf("received"),
    publishes: countOf("publishes"),
    duplicates: countOf("duplicates"),
    publishSeconds: countOf("publishSeconds"),
  };
}
