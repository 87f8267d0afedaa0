// Is the candidate as good as the old set? What both measured over the same interval, check by check. Pure.
// Not here: how the numbers come in (measure.ts, analysis.ts), and what follows from a verdict.
//
// A share is judged from a least number of events on. What is not known never counts as zero, and never lets a step pass; what
// both sets suffer from is nobody's fault and decides nothing.
import type { WebSocketClusterSpec } from "@wscluster/crds";
import type { Verdict } from "../cluster/facts.ts";

export type AnalysisSpec = NonNullable<NonNullable<WebSocketClusterSpec["rollout"]>["analysis"]>;

export const EVENT_NAMES = [
  "opened",
  "refused",
  "resumed",
  "moved",
  "failedResumes",
  "gaps",
  "errors",
  "received",
  "publishes",
  "duplicates",
  "publishSeconds",
] as const;
export type EventName = (typeof EVENT_NAMES)[number];

/** Undefined = not known. */
export type EventCounts = { readonly [Name in EventName]: number | undefined };

/** What the pods of a set counted over the interval. */
export type SetMeasure = {
  readonly pods: number;
  /** Pods whose numbers of the interval are not known, and why. */
  readonly silent: readonly { readonly name: string; readonly why: string }[];
  /** Pods whose process began anew in the interval. */
  readonly restarted: readonly string[];
  readonly events: EventCounts;
  /** Mean over the interval of the highest of its pods, 0..1. */
  readonly pressure: number | undefined;
};

/** Moves of the attempt over the interval, from the store. */
export type MoveCounts = { readonly asked: number; readonly failed: number };

export type AnalysisInput = {
  readonly spec: AnalysisSpec;
  readonly spanMs: number;
  readonly candidate: SetMeasure;
  readonly old: SetMeasure;
  readonly moves: MoveCounts | undefined;
};

const DEFAULTS = {
  intervalSeconds: 30,
  minSample: 20,
  maxFailedResumePercent: 5,
  maxFailedMovePercent: 10,
  maxErrorPercent: 5,
  maxRefusedPercent: 5,
  maxPressurePercent: 90,
} as const;
/** A publish that takes no longer is quick, whatever the old set needs. */
const QUICK_SECONDS = 0.005;
/** At this limit a check cannot fail: it is off. */
const OFF_PERCENT = 100;

type Finding = { readonly kind: "ok" } | { readonly kind: "fail" | "open"; readonly why: string };
type Share = { readonly bad: number | undefined; readonly of: number | undefined };

const OK: Finding = { kind: "ok" };

export function judge(input: AnalysisInput): Verdict {
  const { spec, spanMs, candidate } = input;
  const minSample = spec.minSample ?? DEFAULTS.minSample;
  const findings = [restarts(input), ...shares(input, minSample), pressure(input), latency(input, minSample)];
  const whys = (kind: "fail" | "open") => findings.flatMap((finding) => (finding.kind === kind ? [finding.why] : []));
  const failed = whys("fail");
  if (failed.length > 0) return { kind: "fail", why: failed.join("; ") };
  const open = whys("open");
  open.unshift(...silence(candidate), ...sample(candidate, minSample));
  const intervalSeconds = spec.intervalSeconds ?? DEFAULTS.intervalSeconds;
  if (spanMs < intervalSeconds * 1_000) {
    open.unshift(`judged for ${Math.floor(spanMs / 1_000)} of ${intervalSeconds} s`);
  }
  return open.length === 0 ? { kind: "pass" } : { kind: "inconclusive", why: open.join("; ") };
}

function silence({ pods, silent }: SetMeasure): string[] {
  if (pods === 0) return ["the candidate has no pod"];
  return silent.length === 0
    ? []
    : [silent.map(({ name, why }) => `pod ${name} does not tell its numbers: ${why}`).join("; ")];
}

/** However few errors there were: without clients nothing was proved. */
function sample({ events }: SetMeasure, minSample: number): string[] {
  const { opened } = events;
  if (opened === undefined) return ["the candidate's arrivals are not known"];
  return opened >= minSample ? [] : [`${opened} of ${minSample} arrivals came to the candidate`];
}

function restarts({ candidate, old }: AnalysisInput): Finding {
  if (candidate.restarted.length === 0) return OK;
  const why = `pod ${candidate.restarted.join(", ")} began anew while it was judged`;
  return old.restarted.length === 0 ? { kind: "fail", why } : { kind: "open", why: `${why}, and so did the old set's` };
}

function shares({ spec, candidate, old, moves }: AnalysisInput, minSample: number): Finding[] {
  const compare = (
    what: string,
    limit: number | undefined,
    per: number,
    shareOf: (events: EventCounts) => Share,
  ): Finding => {
    if (limit === undefined || (per === 100 && limit >= OFF_PERCENT)) return OK;
    return share(what, limit, per, minSample, shareOf(candidate.events), shareOf(old.events));
  };
  const percent = (what: string, limit: number | undefined, shareOf: (events: EventCounts) => Share): Finding =>
    compare(what, limit, 100, shareOf);
  const { maxFailedResumePercent, maxErrorPercent, maxRefusedPercent, maxDuplicatePercent, maxGapsPerThousand } = spec;
  return [
    percent("failed resumes", maxFailedResumePercent ?? DEFAULTS.maxFailedResumePercent, (events) => ({
      bad: events.failedResumes,
      of: sum(events.failedResumes, events.resumed, events.moved),
    })),
    percent("errors", maxErrorPercent ?? DEFAULTS.maxErrorPercent, (events) => ({
      bad: events.errors,
      of: sum(events.received, events.opened),
    })),
    percent("refused connections", maxRefusedPercent ?? DEFAULTS.maxRefusedPercent, (events) => ({
      bad: events.refused,
      of: sum(events.refused, events.opened),
    })),
    percent("repeated publishes", maxDuplicatePercent, (events) => ({ bad: events.duplicates, of: events.publishes })),
    compare("gaps", maxGapsPerThousand, 1_000, (events) => ({ bad: events.gaps, of: events.opened })),
    failedMoves(spec, moves, minSample),
  ];
}

function sum(...parts: (number | undefined)[]): number | undefined {
  return parts.reduce<number | undefined>(
    (all, one) => (all === undefined || one === undefined ? undefined : all + one),
    0,
  );
}

function failedMoves(spec: AnalysisSpec, moves: MoveCounts | undefined, minSample: number): Finding {
  const limit = spec.maxFailedMovePercent ?? DEFAULTS.maxFailedMovePercent;
  if (limit >= OFF_PERCENT) return OK;
  const nobody: Share = { bad: undefined, of: undefined };
  return share("failed moves", limit, 100, minSample, { bad: moves?.failed, of: moves?.asked }, nobody);
}

/** @param per 100 for percent, 1000 for per thousand. */
function share(what: string, limit: number, per: number, minSample: number, now: Share, before: Share): Finding {
  const { bad, of } = now;
  if (bad === undefined || of === undefined) return { kind: "open", why: `${what} of the candidate are not known` };
  if (bad === 0) return OK;
  const text = `${what}: ${bad} of ${of} (limit ${limit} ${per === 100 ? "%" : `in ${per}`})`;
  if (of < minSample) return { kind: "open", why: `${text}, too few to judge` };
  if (bad * per <= limit * of) return OK;
  const isKnown = before.bad !== undefined && before.of !== undefined && before.of >= minSample;
  if (!isKnown || before.bad === undefined || before.of === undefined) return { kind: "fail", why: text };
  const compared = `${text}; old set: ${before.bad} of ${before.of}`;
  // The old set fares no better: it is not the candidate.
  if (before.bad * of >= bad * before.of) return { kind: "open", why: compared };
  return { kind: "fail", why: compared };
}

function pressure({ spec, candidate, old }: AnalysisInput): Finding {
  const limit = spec.maxPressurePercent ?? DEFAULTS.maxPressurePercent;
  if (limit >= OFF_PERCENT) return OK;
  const now = candidate.pressure;
  if (now === undefined) return { kind: "open", why: "the pressure of the candidate is not known" };
  if (now * 100 <= limit) return OK;
  const why = `pressure ${Math.round(now * 100)} % (limit ${limit} %)`;
  const isShared = old.pressure !== undefined && old.pressure >= now;
  return isShared ? { kind: "open", why: `${why}; the old set has no less` } : { kind: "fail", why };
}

function latency({ spec, candidate, old }: AnalysisInput, minSample: number): Finding {
  const limit = spec.maxLatencyPercent;
  if (limit === undefined) return OK;
  const meanOf = ({ events }: SetMeasure): number | undefined =>
    events.publishes === undefined || events.publishSeconds === undefined || events.publishes < minSample
      ? undefined
      : events.publishSeconds / events.publishes;
  const [now, before] = [meanOf(candidate), meanOf(old)];
  if (now === undefined) return { kind: "open", why: `fewer than ${minSample} publishes on the candidate are known` };
  if (now <= QUICK_SECONDS) return OK;
  if (before === undefined) return { kind: "open", why: `fewer than ${minSample} publishes on the old set are known` };
  if (now * 100 <= limit * Math.max(before, QUICK_SECONDS)) return OK;
  const ms = (seconds: number): string => `${(seconds * 1_000).toFixed(1)} ms`;
  return { kind: "fail", why: `a publish takes ${ms(now)}, on the old set ${ms(before)} (limit ${limit} %)` };
}
