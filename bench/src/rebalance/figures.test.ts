import { describe, expect, it } from "vitest";
import { figuresOf, labelOf, OURS, RULE, summaryOf } from "./figures.ts";

const day = {
  rebalances: 2,
  moved: 105,
  bound: 100,
  flips: 0,
  afterPercent: 6,
  worstAfterPercent: 9,
  aboveShare: 0.02,
};
const round = (contender: string, pods: number, rest: Readonly<Record<string, number>> = {}) => ({
  contender: labelOf(contender, pods),
  figures: figuresOf({ ...day, ...rest }, { moved: 0 }, { seconds: 80 }, pods),
});

describe("figuresOf", () => {
  it("has no ratio and no result where nothing was to be done", () => {
    const idle = figuresOf({ ...day, rebalances: 0, moved: 0, bound: 0 }, {}, {}, 10);
    for (const name of ["movesOverBound", "afterPercent", "noiseMoved", "secondsToSmallest"])
      expect(idle).not.toHaveProperty(name);
    expect(figuresOf(day, {}, {}, 10)).toMatchObject({ movesOverBound: 1.05, abovePercentOfTime: 2 });
  });
});

describe("summaryOf", () => {
  it("takes the median of each size, then the worst size, and sums what must never happen", () => {
    const rounds = [
      round(OURS, 10, { afterPercent: 5 }),
      round(OURS, 10, { afterPercent: 6 }),
      round(OURS, 10, { afterPercent: 30 }),
      round(OURS, 100, { afterPercent: 8, moved: 195, flips: 1 }),
      round(RULE, 10, { afterPercent: 60, moved: 400 }),
    ];
    expect(summaryOf(rounds, 40)).toMatchObject({
      imbalancePercent: 8,
      movesOverBound: 1.275,
      flips: 1,
      planMs: 40,
      ruleImbalancePercent: 60,
      ruleMovesOverBound: 4,
    });
  });
});
