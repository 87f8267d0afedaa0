import { describe, expect, it } from "vitest";
import { CONTROL, ROLLOUT, summaryOf } from "./figures.ts";

describe("rollout bench", () => {
  it("reports the promised keys: the worst of what must not happen, gaps over the control", () => {
    const rollout = {
      lost: 0,
      duplicated: 0,
      reordered: 0,
      cut: 0,
      p99GapMs: 8,
      maxGapMs: 20,
      p99HoldMs: 30,
      maxHoldMs: 40,
      paceErrorPercent: 0,
    };
    const summary = summaryOf([
      { contender: CONTROL, figures: { p99GapMs: 1, maxGapMs: 2 } },
      { contender: ROLLOUT, figures: { ...rollout, seconds: 10, overIdeal: 1.1 } },
      { contender: ROLLOUT, figures: { ...rollout, lost: 1, seconds: 12, overIdeal: 1.3 } },
    ]);
    expect(summary).toEqual({
      lost: 1,
      duplicated: 0,
      reordered: 0,
      cut: 0,
      p99GapMs: 7,
      maxGapMs: 18,
      p99HoldMs: 30,
      maxHoldMs: 40,
      paceErrorPercent: 0,
      seconds: 11,
      overIdeal: 1.2,
    });
  });
});
