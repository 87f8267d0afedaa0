import { describe, expect, it } from "vitest";
import { foreignShare, parseCoreTime } from "./core-load.ts";

const STAT = `cpu  300 0 200 1500 0 0 0 0 0 0
cpu0 100 10 50 800 20 5 15 0 100 0
cpu1 200 0 150 700 0 0 0 0 0 0
intr 1 2 3
`;

describe("load of a core", () => {
  it("takes the line of the core; interrupts and waiting are no work, guests are counted once", () => {
    expect(parseCoreTime(STAT, 0)).toEqual({ busyUs: 1_600_000, totalUs: 10_000_000 });
    expect(parseCoreTime(STAT, 1)).toEqual({ busyUs: 3_500_000, totalUs: 10_500_000 });
  });

  it("leaves to others what was not one's own", () => {
    const before = { busyUs: 1_000, totalUs: 10_000 };
    expect(foreignShare(before, { busyUs: 1_800, totalUs: 11_000 }, 300)).toBe(0.5);
  });

  it("is never below nothing: ticks of both clocks are coarse", () => {
    const before = { busyUs: 1_000, totalUs: 10_000 };
    expect(foreignShare(before, { busyUs: 1_100, totalUs: 11_000 }, 300)).toBe(0);
    expect(foreignShare(before, before, 0)).toBe(0);
  });
});
