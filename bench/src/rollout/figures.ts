// What one run of the rollout bench comes to. Pure.
import { paceErrorPercent, type LoadSummary } from "@wscluster/e2e";
import { mediansOf, type Round } from "../rounds.ts";

export const ROLLOUT = "rollout";
export const CONTROL = "control";
export const PLAIN = "plain-deployment";
export const ARGO = "argo-rollouts";

const rounded = (value: number): number => Math.round(value * 100) / 100;

export type RunFacts = {
  readonly summary: LoadSummary;
  readonly movesPerSecond: number;
  /** When the image was changed, milliseconds since 1970; absent in a control run. */
  readonly changedAtMs: number | undefined;
};

export function figuresOf({ summary, movesPerSecond, changedAtMs }: RunFacts): Readonly<Record<string, number>> {
  const { verdict } = summary;
  const common = {
    lost: verdict.lost,
    duplicated: verdict.duplicated + verdict.forked,
    reordered: verdict.reordered,
    cut: summary.cut,
    resumed: summary.resumes,
    published: verdict.published,
    delivered: verdict.delivered,
    availabilityPercent: rounded(verdict.availabilityPercent),
    p99GapMs: rounded(summary.p99GapMs),
    maxGapMs: rounded(summary.maxGapMs),
    p99HoldMs: rounded(summary.p99HoldMs),
    maxHoldMs: rounded(summary.maxHoldMs),
    deliveryP50Ms: rounded(summary.deliveryP50Ms),
    deliveryP99Ms: rounded(summary.deliveryP99Ms),
    deliveryMaxMs: rounded(summary.deliveryMaxMs),
  };
  if (changedAtMs === undefined) return common;
  const first = summary.begunAtMs[0] ?? changedAtMs;
  const last = summary.committedAtMs.at(-1) ?? changedAtMs;
  const idealSeconds = summary.clients / movesPerSecond;
  return {
    ...common,
    moved: summary.moves,
    makeBeforeBreak: summary.makeBeforeBreak,
    paceErrorPercent: rounded(paceErrorPercent(summary.committedAtMs, movesPerSecond)),
    /** Image change to last move. */
    seconds: rounded((last - changedAtMs) / 1_000),
    movingSeconds: rounded((last - first) / 1_000),
    /** Moving time over connections / pace: 1 = the pace was used to the full. */
    overIdeal: rounded((last - first) / 1_000 / idealSeconds),
  };
}

/** Medians of the rollouts; gaps over those of the control of the same run. */
export function summaryOf(rounds: readonly Round[]): Readonly<Record<string, number>> {
  const rollout = mediansOf(rounds, ROLLOUT);
  const control = mediansOf(rounds, CONTROL);
  const above = (name: string): number => rounded(Math.max(0, (rollout[name] ?? 0) - (control[name] ?? 0)));
  const worst = (name: string): number =>
    Math.max(0, ...rounds.filter((round) => round.contender === ROLLOUT).map((round) => round.figures[name] ?? 0));
  return {
    // A median would hide the one round with a loss.
    lost: worst("lost"),
    duplicated: worst("duplicated"),
    reordered: worst("reordered"),
    cut: worst("cut"),
    p99GapMs: above("p99GapMs"),
    maxGapMs: above("maxGapMs"),
    // Writes that wait for the commit: not a gap, and not free either.
    p99HoldMs: rounded(rollout["p99HoldMs"] ?? 0),
    maxHoldMs: rounded(rollout["maxHoldMs"] ?? 0),
    paceErrorPercent: worst("paceErrorPercent"),
    seconds: rounded(rollout["seconds"] ?? 0),
    overIdeal: rounded(rollout["overIdeal"] ?? 0),
  };
}
