import { describe, expect, it } from "vitest";
import { slopeOf } from "./slope.ts";

describe("slopeOf", () => {
  it("finds the cost of one more whatever the process needs by itself", () => {
    const points = [2_000, 6_000, 10_000, 15_000].map((count) => ({ count, total: 80_000 + 12.5 * count }));
    expect(slopeOf(points)).toBeCloseTo(12.5, 9);
  });

  it("lies between noisy points", () => {
    const points = [
      { count: 1, total: 10 },
      { count: 2, total: 14 },
      { count: 3, total: 16 },
    ];
    expect(slopeOf(points)).toBeCloseTo(3, 9);
  });

  it("says nothing of a single count", () => {
    expect(slopeOf([{ count: 5, total: 9 }])).toBe(0);
    expect(slopeOf([])).toBe(0);
  });
});
