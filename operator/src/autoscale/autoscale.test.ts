import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AutoscaleInput, nextAutoscale, NO_WISHES, type PodUse } from "./autoscale.ts";

const podsWith = (...connections: (number | undefined)[]): PodUse[] =>
  connections.map((one) => ({ connections: one, cpuCores: undefined }));

const input = (change: Partial<AutoscaleInput> = {}): AutoscaleInput => ({
  nowMs: 0,
  spec: { maxReplicas: 20, connectionsPerReplica: 100, scaleDownStabilizationSeconds: 60 },
  present: 4,
  pods: podsWith(100, 100, 100, 100),
  coresPerPod: 1,
  isRolling: false,
  ...change,
});

describe("the autoscaler", () => {
  it("goes up at once, in steps that a wild number cannot make endless", () => {
    expect(nextAutoscale(NO_WISHES, input({ pods: podsWith(150, 150, 150, 150) })).replicas).toBe(6);
    expect(nextAutoscale(NO_WISHES, input({ pods: podsWith(900, 900, 900, 900) })).replicas).toBe(8);
  });

  it("leaves it as it is within a tenth of what is wanted", () => {
    expect(nextAutoscale(NO_WISHES, input({ pods: podsWith(109, 109, 109, 109) })).replicas).toBe(4);
    expect(nextAutoscale(NO_WISHES, input({ pods: podsWith(111, 111, 111, 111) })).replicas).toBe(5);
  });

  it("goes down only after fewer would have done for the whole time", () => {
    const low = podsWith(40, 40, 40, 40);
    const first = nextAutoscale(NO_WISHES, input({ pods: low }));
    expect(first).toMatchObject({ replicas: 4, wanted: 2, waitMs: 60_000 });
    const peak = nextAutoscale(first.memory, input({ nowMs: 30_000 }));
    const later = nextAutoscale(peak.memory, input({ nowMs: 60_000, pods: low }));
    expect(later.replicas).toBe(4);
    expect(later.message).toContain("more were needed less than 60 s ago");
    expect(nextAutoscale(later.memory, input({ nowMs: 90_001, pods: low })).replicas).toBe(2);
  });

  it("never goes down during a rollout", () => {
    const low = podsWith(10, 10, 10, 10);
    const { memory } = nextAutoscale(NO_WISHES, input({ pods: low }));
    const rolling = nextAutoscale(memory, input({ nowMs: 61_000, pods: low, isRolling: true }));
    expect(rolling).toMatchObject({ replicas: 4, wanted: 2 });
    expect(rolling.message).toContain("not during a rollout");
  });

  it("takes a pod that says nothing for full when fewer are asked for, and for empty when more are", () => {
    const silent = podsWith(undefined, undefined, 100, 100);
    const { memory, replicas, wanted } = nextAutoscale(NO_WISHES, input({ pods: silent }));
    expect([replicas, wanted]).toEqual([4, undefined]);
    expect(nextAutoscale(memory, input({ nowMs: 61_000, pods: silent })).replicas).toBe(4);
    expect(nextAutoscale(NO_WISHES, input({ pods: podsWith(undefined, 400, 400, 400) })).replicas).toBe(8);
  });

  it("follows the measure that needs most", () => {
    const spec = { maxReplicas: 20, connectionsPerReplica: 100, cpuPercent: 50 };
    const pods = Array.from({ length: 4 }, () => ({ connections: 100, cpuCores: 0.9 }));
    expect(nextAutoscale(NO_WISHES, input({ spec, pods })).replicas).toBe(8);
  });

  it("stays within its limits, never falls without a whole window, and is at rest where it has come to", () => {
    const use = fc.option(fc.integer({ min: 0, max: 1_000 }), { nil: undefined });
    fc.assert(
      fc.property(
        fc.array(use, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 30 }),
        fc.array(fc.integer({ min: 0, max: 40_000 }), { minLength: 1, maxLength: 12 }),
        (connections, present, gaps) => {
          let memory = NO_WISHES;
          let replicas = present;
          let nowMs = 0;
          for (const gap of gaps) {
            nowMs += gap;
            const next = nextAutoscale(memory, input({ nowMs, present: replicas, pods: podsWith(...connections) }));
            expect(next.replicas).toBeLessThanOrEqual(Math.max(20, replicas));
            if (replicas >= 2 && nowMs < 60_000) expect(next.replicas).toBeGreaterThanOrEqual(replicas);
            expect(next.memory.wishes.length).toBeLessThanOrEqual(gaps.length);
            ({ memory, replicas } = next);
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});
