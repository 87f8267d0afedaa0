// The arithmetic of steps and slices over all small fleets: what is wanted of the candidate and what is given up of the old set.
import { webSocketClusterSpec } from "@wscluster/crds";
import { describe, expect, it } from "vitest";
import type { TrialMarks } from "../../facts.ts";
import { candidateSize, shareOf, stepsOf } from "./plan-of-steps.ts";

const specOf = (replicas: number, rollout: Record<string, unknown>) =>
  webSocketClusterSpec.parse({ replicas, server: { image: "chat:1" }, redis: { url: "redis://r" }, rollout });
const trialAt = (index: number, pods: number, phase: TrialMarks["phase"] = "move"): TrialMarks => ({
  index,
  phase,
  sinceMs: 0,
  judgedFromMs: 0,
  wantedPods: pods,
  oldPods: pods,
  oldConnections: 100,
});
const own = [
  { newConnectionsPercent: 100, movePercent: 1, pauseSeconds: 60 },
  { newConnectionsPercent: 100, movePercent: 50 },
];

describe("the steps", () => {
  it("are none by default, and the user's where the whole fleet may exist twice", () => {
    expect(stepsOf(specOf(4, {}))).toEqual([]);
    expect(stepsOf(specOf(4, { steps: own }))).toEqual([
      { sharePercent: 100, movePercent: 1, pauseSeconds: 60 },
      { sharePercent: 100, movePercent: 50, pauseSeconds: 0 },
    ]);
  });

  it("are joined by the slices that lie between them, each with no more arrivals than it has pods for", () => {
    expect(
      stepsOf(specOf(4, { steps: own, surgePercent: 25 })).map((step) => [step.sharePercent, step.movePercent]),
    ).toEqual([
      [25, 1],
      [25, 25],
      [50, 50],
      [75, 75],
    ]);
  });

  it("lead their share from their own confirmation on, and the former one's until then", () => {
    const spec = specOf(4, { surgePercent: 25 });
    const at = (index: number, phase: TrialMarks["phase"]) =>
      shareOf(spec, { step: "trial", trial: trialAt(index, 4, phase) });
    expect([at(0, "grow"), at(0, "share"), at(1, "grow"), at(1, "share")]).toEqual([undefined, 25, 25, 50]);
    expect(shareOf(spec, { step: "grow", trial: trialAt(2, 4) })).toBe(75);
    // Steps that were taken away while they ran.
    expect(shareOf(specOf(4, {}), { step: "trial", trial: trialAt(2, 4) })).toBe(undefined);
  });
});

describe("pods in slices", () => {
  const sizes = [1, 2, 3, 4, 5, 7, 10, 23];
  const surges = [5, 10, 20, 25, 30, 33, 50, 75, 99];

  it("hold every part that moves to them, never fall, and stay within what may exist twice", () => {
    for (const pods of sizes) {
      for (const surgePercent of surges) {
        const spec = specOf(pods, { surgePercent });
        const slice = Math.ceil((pods * surgePercent) / 100);
        let before = candidateSize(spec, { step: "provision", trial: undefined }, pods) ?? 0;
        expect(before).toBe(slice);
        let old = pods;
        stepsOf(spec).forEach((step, index) => {
          const size = candidateSize(spec, { step: "trial", trial: trialAt(index, pods) }, old) ?? 0;
          const now = Math.max(before, size);
          expect(now + old).toBeLessThanOrEqual(pods + slice);
          // As much as has moved, to the last connection of a pod.
          expect(now).toBeGreaterThanOrEqual(Math.floor((pods * step.movePercent) / 100));
          before = now;
          old = pods - Math.floor((pods * step.movePercent) / 100);
        });
        const all = Math.max(before, candidateSize(spec, { step: "grow", trial: trialAt(99, pods) }, old) ?? 0);
        expect(all).toBe(pods);
      }
    }
  });

  it("are one slice at least beside three sets", () => {
    const spec = specOf(8, { surgePercent: 25 });
    expect(candidateSize(spec, { step: "trial", trial: trialAt(0, 8) }, 10)).toBe(2);
  });

  it("are those of the preview before the approval", () => {
    const spec = specOf(8, { previewReplicas: 3 });
    expect(candidateSize(spec, { step: "approve", trial: undefined }, 8)).toBe(3);
    expect(candidateSize(spec, { step: "grow", trial: undefined }, 8)).toBe(undefined);
    expect(candidateSize(specOf(2, { previewReplicas: 3 }), { step: "verify", trial: undefined }, 2)).toBe(2);
  });
});
