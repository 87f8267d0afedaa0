import { describe, expect, it } from "vitest";
import { summaryOf } from "./summary.ts";

const figures = (p99Ms: number, more: Readonly<Record<string, number>> = {}) => ({
  p50Ms500: 1,
  p99Ms500: 2,
  p50Ms5000: 3,
  p99Ms5000: p99Ms,
  ...more,
});

describe("summaryOf", () => {
  it("tells the highest rate that was borne, and ratios at each rate", () => {
    const rounds = [
      { contender: "wscluster", figures: figures(9) },
      { contender: "centrifugo", figures: figures(18) },
    ];
    expect(summaryOf(rounds, [500, 5_000])).toMatchObject({
      p50Ms: 3,
      p99Ms: 9,
      maxRate: 5_000,
      maxRateCentrifugo: 500,
      p99MsVsCentrifugo500: 1,
      p99MsVsCentrifugo5000: 0.5,
    });
  });

  it("counts no rate at which messages are missing, or which was not measured", () => {
    const rounds = [{ contender: "wscluster", figures: figures(9, { missing5000: 1 }) }];
    expect(summaryOf(rounds, [500, 5_000, 9_000]).maxRate).toBe(500);
    expect(summaryOf(rounds, [500])).not.toHaveProperty("maxRateCentrifugo");
  });
});
