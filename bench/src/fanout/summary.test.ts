import { describe, expect, it } from "vitest";
import { summaryOf } from "./summary.ts";

describe("summary of fan-out", () => {
  it("divides our median by the rival's, and leaves out what was not measured", () => {
    const round = (contender: string, cpu: number) => ({
      contender,
      figures: { cpuUsPerDelivery200: cpu, p99Ms50: cpu },
    });
    const rounds = [round("wscluster", 1), round("wscluster", 3), round("wscluster", 2), round("centrifugo", 8)];
    expect(summaryOf(rounds)).toEqual({
      cpuUsPerDelivery: 2,
      vsCentrifugo200: 0.25,
      p99AtRate: 50,
      p99Ms: 2,
      p99MsCentrifugo: 8,
      foreignPercent: 0,
    });
  });

  it("tells latency at 200/s where both were timed there", () => {
    const figures = { p99Ms50: 1, p99Ms200: 4 };
    const rounds = [
      { contender: "wscluster", figures },
      { contender: "centrifugo", figures: { p99Ms50: 2, p99Ms200: 5 } },
    ];
    expect(summaryOf(rounds)).toEqual({ p99AtRate: 200, p99Ms: 4, p99MsCentrifugo: 5, foreignPercent: 0 });
  });

  it("takes a round in which others had the core only where there is no calm one", () => {
    const round = (contender: string, cpuUsPerDelivery50: number, foreignPercent50: number) => ({
      contender,
      figures: { cpuUsPerDelivery50, foreignPercent50 },
    });
    const rounds = [round("wscluster", 1, 80), round("wscluster", 6, 5), round("wscluster", 2, 70)];
    expect(summaryOf([...rounds, round("centrifugo", 4, 90), round("centrifugo", 8, 90)])["vsCentrifugo50"]).toBe(1);
  });
});
