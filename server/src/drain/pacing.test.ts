import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sendTimes, targetOrder } from "./pacing.ts";

describe("sendTimes", () => {
  it("fills the window evenly: no 100 ms hold more than twice the mean, at least one being allowed", () => {
    fc.assert(
      fc.property(
        fc.nat(1e9),
        fc.integer({ min: 1, max: 120_000 }),
        fc.integer({ min: 1, max: 2_000 }),
        (start, windowMs, count) => {
          const times = sendTimes(start, windowMs, count);
          expect(times).toHaveLength(count);
          const bins = new Map<number, number>();
          for (const time of times) {
            expect(time >= start && time < start + windowMs).toBe(true);
            const bin = Math.floor((time - start) / 100);
            bins.set(bin, (bins.get(bin) ?? 0) + 1);
          }
          const mean = count / Math.max(1, windowMs / 100);
          expect(Math.max(...bins.values())).toBeLessThanOrEqual(Math.max(1, Math.ceil(2 * mean)));
        },
      ),
    );
  });
});

describe("targetOrder", () => {
  it("uses each target as often as it may, in turn", () => {
    const targets = [
      { pod: "a", count: 4 },
      { pod: "b", count: 2 },
    ];
    expect(targetOrder(targets, 6)).toEqual(["a", "b", "a", "a", "b", "a"]);
    expect(targetOrder(targets, 3)).toHaveLength(3);
    expect(targetOrder(targets, 99)).toHaveLength(6);
    expect(targetOrder([], 5)).toEqual([]);
  });
});
