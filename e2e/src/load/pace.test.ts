import { describe, expect, it } from "vitest";
import { busiestWindow, paceErrorPercent } from "./pace.ts";

const every = (gapMs: number, count: number) => Array.from({ length: count }, (_, index) => index * gapMs);

describe("pace", () => {
  it("counts the busiest window", () => {
    expect(busiestWindow([])).toBe(0);
    expect(busiestWindow([0, 9_999, 10_000, 10_001])).toBe(3);
  });

  it("allows the pace and two connections more, and measures what is above", () => {
    expect(paceErrorPercent(every(100, 500), 10)).toBe(0);
    expect(paceErrorPercent([...every(100, 100), 9_950, 9_960], 10)).toBe(0);
    expect(paceErrorPercent(every(50, 500), 10)).toBe(100);
  });
});
