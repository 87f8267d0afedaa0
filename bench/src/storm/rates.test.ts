import { describe, expect, it } from "vitest";
import { peakPerSecond } from "./rates.ts";

describe("peakPerSecond", () => {
  it("counts the fullest second after the first event, in any order", () => {
    expect(peakPerSecond([5_000, 5_999, 6_000, 6_100, 6_900, 8_500])).toBe(3);
    expect(peakPerSecond([6_900, 5_000, 6_100, 6_000])).toBe(3);
  });

  it("is 0 without events", () => {
    expect(peakPerSecond([])).toBe(0);
  });
});
