import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { rateBetween } from "./rates.ts";

const at = (value: number, atMs: number, boot = "1") => ({ value, boot, atMs });

describe("rateBetween", () => {
  it("is the growth per second", () => {
    expect(rateBetween(at(100, 0), at(150, 10_000), 1e6)).toEqual({ kind: "known", perSecond: 5 });
    expect(rateBetween(at(100, 0), at(100, 10_000), 1e6)).toEqual({ kind: "known", perSecond: 0 });
  });

  it.each([
    ["first", undefined, at(5, 0)],
    ["restarted", at(100, 0), at(5, 10_000)],
    // Faster than before the restart: only the boot tells.
    ["restarted", at(100, 0), at(5_000, 10_000, "2")],
    ["too-soon", at(1, 0), at(2, 100)],
    ["too-soon", at(1, 100), at(2, 100)],
    ["too-long", at(1, 0), at(2, 600_000)],
    ["implausible", at(0, 0), at(1e12, 10_000)],
  ])("is unknown: %s", (why, before, after) => {
    expect(rateBetween(before, after, 1e6)).toEqual({ kind: "unknown", why });
  });

  it("is never negative, not finite or above the most, whatever a pod counts", () => {
    const reading = fc.record({ value: fc.double(), boot: fc.constantFrom("1", "2", undefined), atMs: fc.double() });
    fc.assert(
      fc.property(reading, reading, (before, after) => {
        const rate = rateBetween(before, after, 1e6);
        if (rate.kind === "known") {
          expect(rate.perSecond).toBeGreaterThanOrEqual(0);
          expect(rate.perSecond).toBeLessThanOrEqual(1e6);
        }
      }),
      { numRuns: 1_000, seed: 12 },
    );
  });
});
