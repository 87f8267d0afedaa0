import { describe, expect, it } from "vitest";
import { relativeLoadsOf, slicesOf } from "./load.ts";
import { rebalanceSettingsFor } from "./settings.ts";
import { known, podLoad, snapshotOf } from "./testing/fleet.ts";

const settings = rebalanceSettingsFor();
const even = Array.from({ length: 10 }, (_, index) => ({ key: `pod-${index}`, connections: 1_000 }));

describe("relativeLoadsOf", () => {
  it("weighs connections, CPU and messages against the mean", () => {
    const { loads, measures } = relativeLoadsOf(
      snapshotOf(0, [...even.slice(1), { key: "pod-0", connections: 2_000 }]),
      settings,
    );
    expect(measures).toEqual(["connections", "cpu", "messageRate"]);
    expect(loads.get("pod-0")).toBeCloseTo(2 / 1.1);
  });

  it("does not let one wild number make the rest look idle", () => {
    const { pods } = snapshotOf(0, even);
    const wild = pods.map((pod, index) =>
      index === 0 ? { ...pod, cpu: known(1e6), messagesPerSecond: known(1e9) } : pod,
    );
    const { loads } = relativeLoadsOf({ atMs: 0, pods: wild }, settings);
    expect(loads.get("pod-5")).toBeGreaterThan(0.6);
  });

  it("compares by what all report, and names whom it cannot judge", () => {
    const { pods } = snapshotOf(0, even);
    const blindToCpu = pods.map((pod, index) => (index < 5 ? { ...pod, cpu: known<number>(undefined) } : pod));
    expect(relativeLoadsOf({ atMs: 0, pods: blindToCpu }, settings)).toMatchObject({
      measures: ["connections", "messageRate"],
      unknown: new Map(),
    });
    const oneBlind = pods.map((pod, index) => (index === 3 ? { ...pod, cpu: known<number>(undefined) } : pod));
    const { loads, unknown } = relativeLoadsOf({ atMs: 0, pods: oneBlind }, settings);
    expect([...unknown]).toEqual([["pod-3", "its cpu is not known"]]);
    expect(loads.has("pod-3")).toBe(false);
  });
});

describe("slicesOf", () => {
  it("splits the load by connections and messages, and sums to the whole", () => {
    const table = Array.from({ length: 128 }, (_, index) => (index < 2 ? 500 : 0));
    const messages = Array.from({ length: 128 }, (_, index) => (index === 1 ? 1_000 : 0));
    const pod = podLoad({ key: "a", connections: 1_000, partitions: table, partitionMessages: messages });
    const slices = slicesOf(pod, 100, ["connections", "cpu", "messageRate"], settings.weights);
    expect(slices.map((slice) => slice.partition)).toEqual([0, 1]);
    expect(slices.reduce((sum, slice) => sum + slice.load, 0)).toBeCloseTo(100);
    expect(slices[1]?.load).toBeGreaterThan(2 * (slices[0]?.load ?? 0));
    expect(slicesOf(podLoad({ key: "a", connections: 7 }), 1, ["connections"], settings.weights)).toEqual([
      { partition: undefined, connections: 7, load: 1 },
    ]);
  });
});
