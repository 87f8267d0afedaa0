import { describe, expect, it } from "vitest";
import { peakPerSecond } from "./rates.ts";

describe("peakPerSecond", () => {
  it("counts the fullest second after the first event, in any order", () => {
    expect(peakPerSecond([5_300, 5_999, 6_290, 6_300, 6_400, 8_500])).toBe(3);
    expect(peakPerSecond([6_290, 5_300, 6_310, 5_999])).toBe(3);
  });

  it("is 0 without events", () => {
    expect(peakPerSecond([])).toBe(0);
  });
});
