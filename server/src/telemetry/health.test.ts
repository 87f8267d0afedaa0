import { describe, expect, it } from "vitest";
import { healthChecksOf, memoryLimitOf } from "./health.ts";
import type { HealthFacts } from "./health.ts";

const GIB = 1024 ** 3;
const well: HealthFacts = {
  slotsUsed: 900,
  slots: 1_000,
  rssBytes: Math.floor(0.9 * GIB),
  memoryLimitBytes: GIB,
  queueBytes: 256 * 1024 * 1024,
  brokerSilenceMs: 3_000,
  eventLoopLagMs: 200,
};
const failing = (change: Partial<HealthFacts>) =>
  healthChecksOf({ ...well, ...change }).flatMap(({ name, ok }) => (ok ? [] : [name]));

describe("healthChecksOf", () => {
  it("passes up to each threshold and fails above it, by name", () => {
    expect(failing({})).toEqual([]);
    expect(failing({ slotsUsed: 901 })).toEqual(["slots"]);
    expect(failing({ rssBytes: Math.floor(0.9 * GIB) + 1 })).toEqual(["memoryBytes"]);
    expect(failing({ queueBytes: 256 * 1024 * 1024 + 1 })).toEqual(["sendQueueBytes"]);
    expect(failing({ brokerSilenceMs: 3_001 })).toEqual(["brokerSilenceMs"]);
    expect(failing({ eventLoopLagMs: 201 })).toEqual(["eventLoopLagMs"]);
  });

  it("shows the figure and the threshold", () => {
    expect(healthChecksOf(well)[0]).toEqual({ name: "slots", ok: true, value: 900, limit: 900 });
  });

  it("gives the queues of a small pod a share of its memory", () => {
    const check = healthChecksOf({ ...well, memoryLimitBytes: 128 * 1024 * 1024 }).find(
      ({ name }) => name === "sendQueueBytes",
    );
    expect(check?.limit).toBe(32 * 1024 * 1024);
  });
});

describe("memoryLimitOf", () => {
  it("is the cgroup's limit where it limits", () => {
    expect(memoryLimitOf(GIB, 8 * GIB)).toBe(GIB);
    expect(memoryLimitOf(0, 8 * GIB)).toBe(8 * GIB);
    // Without a limit Linux says nearly 2^64.
    expect(memoryLimitOf(2 ** 64, 8 * GIB)).toBe(8 * GIB);
  });
});
