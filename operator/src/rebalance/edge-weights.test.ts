import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nextWeight, WEIGHT_LEVELS, weightPercentOf, type WeightTrack } from "./edge-weights.ts";

const OLD_MS = 3_600_000;
function after(looks: number, headroom: number | undefined, from?: WeightTrack): WeightTrack {
  let track = nextWeight(from, { headroom, ageMs: OLD_MS });
  for (let look = 1; look < looks; look++) track = nextWeight(track, { headroom, ageMs: OLD_MS });
  return track;
}

describe("nextWeight", () => {
  it("warms a new pod up in steps and takes an old one as it is", () => {
    let track: WeightTrack | undefined;
    const seen: number[] = [];
    for (let ageMs = 0; ageMs <= 300_000; ageMs += 10_000) {
      track = nextWeight(track, { headroom: 1, ageMs });
      seen.push(weightPercentOf(track));
    }
    expect(seen[0]).toBe(25);
    expect([...new Set(seen)]).toEqual([25, 50, 75, 100]);
    expect(weightPercentOf(nextWeight(undefined, { headroom: 0.9, ageMs: OLD_MS }))).toBe(100);
  });

  it("sinks a level at a time after three looks, never to zero, and climbs more slowly", () => {
    const full = after(1, 0.9);
    expect(weightPercentOf(after(2, 0.1, full))).toBe(100);
    expect(weightPercentOf(after(3, 0.1, full))).toBe(75);
    expect(weightPercentOf(after(100, 0, full))).toBe(25);
    const low = after(100, 0, full);
    expect(weightPercentOf(after(5, 0.9, low))).toBe(25);
    expect(weightPercentOf(after(6, 0.9, low))).toBe(50);
  });

  it("goes back to neutral when the headroom is not known", () => {
    expect(weightPercentOf(after(100, undefined, after(100, 0)))).toBe(100);
  });

  it("does not swing around a border, for any jumping number near it", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.46, max: 0.56, noNaN: true }), { minLength: 60, maxLength: 60 }),
        (numbers) => {
          let track: WeightTrack = { level: 2, wish: 2, looks: 0 };
          let changes = 0;
          for (const headroom of numbers) {
            const next = nextWeight(track, { headroom, ageMs: OLD_MS });
            if (next.level !== track.level) changes++;
            track = next;
          }
          expect(changes).toBe(0);
          expect(WEIGHT_LEVELS).toContain(weightPercentOf(track));
        },
      ),
      { seed: 42 },
    );
  });
});
