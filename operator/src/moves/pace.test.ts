import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fullPace, nextPace, type Pace } from "./pace.ts";

const run = (from: Pace, pressures: readonly number[], seconds: number, startMs = 0): Pace => {
  let pace = from;
  for (let second = 1; second <= seconds; second++) {
    pace = nextPace(pace, 100, pressures, startMs + second * 1000);
  }
  return pace;
};

describe("the pace", () => {
  it("halves at pressure, once for what is on its way, and again when it goes on", () => {
    expect(run(fullPace(100, 0), [0.1, 0.85], 1).perSecond).toBe(50);
    expect(run(fullPace(100, 0), [0.85], 3).perSecond).toBe(50);
    expect(run(fullPace(100, 0), [0.85], 4).perSecond).toBe(25);
  });

  it("rises by a twentieth of the limit a second, up to the limit", () => {
    const slow = { ...fullPace(100, 0), perSecond: 10 };
    expect(run(slow, [0.75], 4).perSecond).toBeCloseTo(30);
    expect(run(slow, [], 60).perSecond).toBe(100);
  });

  it("follows a limit that is lowered, and never stops for good", () => {
    expect(nextPace(fullPace(100, 0), 20, [], 1000).perSecond).toBe(20);
    expect(run(fullPace(100, 0), [1], 200).perSecond).toBeCloseTo(100 / 8);
    expect(nextPace({ ...fullPace(3, 0), perSecond: 1 }, 3, [1], 1000).perSecond).toBe(1);
  });

  it("stays between one a second and the limit, whatever happens", () => {
    const steps = fc.array(
      fc.tuple(fc.nat(5_000), fc.array(fc.double({ min: 0, max: 2, noNaN: true }), { maxLength: 3 })),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), steps, (limit, story) => {
        let pace = fullPace(limit, 0);
        let nowMs = 0;
        for (const [afterMs, pressures] of story) {
          nowMs += afterMs;
          pace = nextPace(pace, limit, pressures, nowMs);
          expect(pace.perSecond).toBeGreaterThanOrEqual(1);
          expect(pace.perSecond).toBeLessThanOrEqual(limit);
        }
      }),
      { numRuns: 200, seed: 11 },
    );
  });
});
