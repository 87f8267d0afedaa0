// What is remembered of one pod from scrape to scrape: the last good reading and the rates up to it. Pure.
// Not here: how old is too old (snapshot.ts).
import { rateBetween, type Rate } from "./rates.ts";
import type { PodReading } from "./reading.ts";

export type ScrapeOutcome =
  | { readonly ok: true; readonly reading: PodReading; readonly problems: number }
  | { readonly ok: false; readonly why: string };

export type PodRates = {
  /** Cores. */
  readonly cpu: Rate;
  readonly messages: Rate;
  /** Mean seconds from publish to answer over the interval; unknown without publishes. */
  readonly responseSeconds: Rate | { readonly kind: "unknown"; readonly why: "idle" };
  /** Messages per second by partition. */
  readonly partitions: readonly number[] | undefined;
};

export type PodSignal = {
  readonly reading: PodReading | undefined;
  /** Monotonic time of the request that brought the reading: it is at least as new as this. */
  readonly atMs: number;
  readonly rates: PodRates | undefined;
  /** Scrapes in a row that brought nothing. */
  readonly failures: number;
  readonly lastFailure: string | undefined;
};

const MOST = { cores: 1_024, messages: 1e8, publishes: 1e7, responseSeconds: 600 } as const;

/** @param atMs monotonic, taken before the request. */
export function nextPodSignal(before: PodSignal | undefined, outcome: ScrapeOutcome, atMs: number): PodSignal {
  if (!outcome.ok) {
    const kept = before ?? { reading: undefined, atMs, rates: undefined, failures: 0 };
    return { ...kept, failures: kept.failures + 1, lastFailure: outcome.why };
  }
  const { reading } = outcome;
  const old = before?.reading;
  const rate = (of: (reading: PodReading) => number | undefined, most: number): Rate => {
    const [was, is] = [old === undefined ? undefined : of(old), of(reading)];
    if (is === undefined) return { kind: "unknown", why: "first" };
    const earlier = was === undefined ? undefined : { value: was, boot: old?.boot, atMs: before?.atMs ?? atMs };
    return rateBetween(earlier, { value: is, boot: reading.boot, atMs }, most);
  };
  return {
    reading,
    atMs,
    rates: {
      cpu: rate((one) => one.cpuSecondsTotal, MOST.cores),
      messages: rate((one) => one.messagesTotal, MOST.messages),
      responseSeconds: responseOf(
        rate((one) => one.publishSecondsTotal, MOST.publishes * MOST.responseSeconds),
        rate((one) => one.publishesTotal, MOST.publishes),
      ),
      partitions: partitionRates(rate, reading),
    },
    failures: 0,
    lastFailure: undefined,
  };
}

function responseOf(seconds: Rate, publishes: Rate): PodRates["responseSeconds"] {
  if (seconds.kind === "unknown") return seconds;
  if (publishes.kind === "unknown") return publishes;
  if (publishes.perSecond === 0) return { kind: "unknown", why: "idle" };
  const mean = seconds.perSecond / publishes.perSecond;
  return mean <= MOST.responseSeconds ? { kind: "known", perSecond: mean } : { kind: "unknown", why: "implausible" };
}

function partitionRates(
  rate: (of: (reading: PodReading) => number | undefined, most: number) => Rate,
  reading: PodReading,
): readonly number[] | undefined {
  const table = reading.partitionMessagesTotal;
  if (table === undefined) return undefined;
  const rates: number[] = [];
  for (const partition of table.keys()) {
    const one = rate((any) => any.partitionMessagesTotal?.[partition], MOST.messages);
    if (one.kind === "unknown") return undefined;
    rates.push(one.perSecond);
  }
  return rates;
}
