import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { headroomOf, healthOf } from "./health.ts";
import { DEFAULT_WEIGHTS, normalised, rebalanceSettingsFor } from "./settings.ts";
import { known, podLoad } from "./testing/fleet.ts";

const weights = normalised(DEFAULT_WEIGHTS);
const limits = { cpuCores: 2, memoryBytes: 400_000_000, messagesPerSecond: 20_000, responseSeconds: 0.1 };
const pod = podLoad({ key: "a", connections: 10_000, capacity: 20_000 });

describe("healthOf", () => {
  it("weighs what is used of each limit", () => {
    // Half of the connections, CPU, memory and messages; a tenth of the response time.
    expect(healthOf(pod, limits, weights)).toMatchObject({ kind: "known", score: 54, missing: [] });
  });

  it("leaves out what is not known, names it, and says unknown when most is missing", () => {
    const quiet = { ...pod, responseSeconds: known<number>(undefined) };
    expect(healthOf(quiet, limits, weights)).toMatchObject({ score: 50, missing: ["responseTime"] });
    const dark = { ...pod, connections: known<number>(undefined), cpu: known<number>(undefined) };
    expect(healthOf(dark, limits, weights)).toEqual({
      kind: "unknown",
      why: "only 45 % of its score is known (missing: connections, cpu)",
    });
    expect(headroomOf(healthOf(dark, limits, weights), pod.lagSeconds)).toBeUndefined();
  });

  it("is 0..100 and falls with use, whatever the numbers", () => {
    const number = fc.double({ min: -1e9, max: 1e12 });
    fc.assert(
      fc.property(number, number, fc.double({ min: 0, max: 3, noNaN: true }), (memory, messages, cpu) => {
        const of = (cores: number) =>
          healthOf(
            { ...pod, cpu: known(cores), memoryBytes: known(memory), messagesPerSecond: known(messages) },
            limits,
            weights,
          );
        const [less, more] = [of(cpu), of(cpu + 1)];
        if (less.kind === "unknown" || more.kind === "unknown") throw new Error("all is known");
        if (!Number.isNaN(memory) && !Number.isNaN(messages)) {
          expect(less.score).toBeGreaterThanOrEqual(more.score);
          expect(more.score).toBeGreaterThanOrEqual(0);
          expect(less.score).toBeLessThanOrEqual(100);
        }
      }),
      { seed: 41 },
    );
  });
});

describe("headroomOf", () => {
  it("is what is free of the scarcest of CPU, memory and event loop, not of connections", () => {
    const health = healthOf({ ...pod, connections: known(20_000) }, limits, weights);
    expect(headroomOf(health, known(0.001))).toBeCloseTo(0.5);
    expect(headroomOf(health, known(0.2))).toBeCloseTo(0.2);
    expect(headroomOf(health, known(9))).toBe(0);
  });
});

describe("rebalanceSettingsFor", () => {
  it("normalises weights and keeps defaults for what is not said", () => {
    const { weights: own, bandPercent } = rebalanceSettingsFor({
      weights: { connections: 0, cpu: 50 },
      maxImbalancePercent: 20,
    });
    expect(Object.values(own).reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1);
    expect(own.connections).toBe(0);
    expect(own.memory).toBeCloseTo(15 / 95);
    expect(bandPercent).toBe(4);
    const none = { connections: 0, cpu: 0, memory: 0, messageRate: 0, responseTime: 0 };
    expect(rebalanceSettingsFor({ weights: none }).weights).toEqual(weights);
  });
});
