// What the rehearsals come to. Pure.
import { medianOf, type Round } from "../rounds.ts";

export const OURS = "wscluster";
export const RULE = "threshold-rule";
export const NOBODY = "nobody";

const rounded = (value: number, digits = 2): number => Math.round(value * 10 ** digits) / 10 ** digits;

/** A contender on fleets of one size: medians over sizes would mean nothing. */
export function labelOf(contender: string, pods: number): string {
  return `${contender} ${pods}`;
}

/** One contender's day with its scenes, from the program's answers. Ratios over the bound only where there was one. */
export function figuresOf(
  day: Readonly<Record<string, number>>,
  noise: Readonly<Record<string, number>>,
  smallest: Readonly<Record<string, number>>,
  pods: number,
): Readonly<Record<string, number>> {
  const { moved = 0, bound = 0 } = day;
  return {
    pods,
    rebalances: day["rebalances"] ?? 0,
    moved,
    bound,
    ...(bound > 0 && { movesOverBound: rounded(moved / bound, 3) }),
    flips: day["flips"] ?? 0,
    ...((day["rebalances"] ?? 0) > 0 && {
      afterPercent: rounded(day["afterPercent"] ?? 0),
      worstAfterPercent: rounded(day["worstAfterPercent"] ?? 0),
    }),
    meanPercent: rounded(day["meanPercent"] ?? 0),
    abovePercentOfTime: rounded(100 * (day["aboveShare"] ?? 0)),
    predictionPoints: rounded(day["predictionPoints"] ?? 0),
    ...(noise["moved"] !== undefined && { noiseMoved: noise["moved"] }),
    ...(smallest["seconds"] !== undefined && { secondsToSmallest: smallest["seconds"] }),
  };
}

/** Of our rounds: the median of each fleet size, then the worst size. Flips and moves for noise are summed: one is one too many. */
export function summaryOf(rounds: readonly Round[], planMs: number): Readonly<Record<string, number>> {
  const of = (contender: string): readonly Round["figures"][] =>
    rounds.filter((round) => round.contender.startsWith(`${contender} `)).map((round) => round.figures);
  const [ours, rule, nobody] = [of(OURS), of(RULE), of(NOBODY)];
  const sum = (figures: readonly Round["figures"][], name: string): number =>
    figures.reduce((all, one) => all + (one[name] ?? 0), 0);
  const ratio = (figures: readonly Round["figures"][]): number =>
    sum(figures, "bound") > 0 ? rounded(sum(figures, "moved") / sum(figures, "bound"), 3) : 0;
  return {
    imbalancePercent: worstOfSizes(ours, "afterPercent"),
    movesOverBound: ratio(ours),
    flips: sum(ours, "flips"),
    planMs: rounded(planMs),
    noiseMoved: sum(ours, "noiseMoved"),
    secondsToSmallest: Math.max(0, ...ours.map((one) => one["secondsToSmallest"] ?? 0)),
    predictionPoints: worstOfSizes(ours, "predictionPoints"),
    abovePercentOfTime: worstOfSizes(ours, "abovePercentOfTime"),
    ruleImbalancePercent: worstOfSizes(rule, "afterPercent"),
    ruleMovesOverBound: ratio(rule),
    ruleFlips: sum(rule, "flips"),
    ruleAbovePercentOfTime: worstOfSizes(rule, "abovePercentOfTime"),
    nobodyAbovePercentOfTime: worstOfSizes(nobody, "abovePercentOfTime"),
    meanPercent: worstOfSizes(ours, "meanPercent"),
    nobodyMeanPercent: worstOfSizes(nobody, "meanPercent"),
  };
}

function worstOfSizes(figures: readonly Round["figures"][], name: string): number {
  const sizes = Map.groupBy(figures, (one) => one["pods"] ?? 0);
  const medians = [...sizes.values()].flatMap((group) => {
    const values = group.flatMap((one) => one[name] ?? []);
    return values.length > 0 ? [medianOf(values)] : [];
  });
  return rounded(Math.max(0, ...medians));
}
