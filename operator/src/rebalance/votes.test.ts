import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nextVotes, smoothedOf, type VoteTrack } from "./votes.ts";

const rules = { enterAbove: 1.3, exitBelow: 1.15, cooldownMs: 300_000 };
const feed = (values: readonly (number | undefined)[], from?: VoteTrack, startMs = 0): VoteTrack => {
  let track = from;
  for (const [index, value] of values.entries()) track = nextVotes(track, value, startMs + index * 10_000, rules);
  if (track === undefined) throw new Error("nothing was fed");
  return track;
};
const times = (count: number, value: number): number[] => Array.from({ length: count }, () => value);

describe("smoothedOf", () => {
  it("needs some numbers and is not pulled by wild ones", () => {
    expect(smoothedOf(times(5, 1))).toBeUndefined();
    expect(smoothedOf([...times(10, 1), 1_000, 1_000])).toBe(1);
    expect(smoothedOf([0, ...times(11, 1)])).toBe(1);
  });
});

describe("nextVotes", () => {
  it("is high after enough votes, stays so above the exit, and rests after it", () => {
    expect(feed(times(8, 1.4)).isHigh).toBe(false);
    const high = feed(times(9, 1.4));
    expect(high.isHigh).toBe(true);
    expect(feed(times(30, 1.2), high, 90_000).isHigh).toBe(true);
    const left = feed(times(12, 1), high, 90_000);
    expect(left).toMatchObject({ isHigh: false });
    expect(feed(times(20, 1.4), left, 210_000).isHigh).toBe(false);
    expect(feed(times(60, 1.4), left, 210_000).isHigh).toBe(true);
  });

  it("takes unknown for no vote, and forgets what is too long ago", () => {
    const high = feed(times(9, 1.4));
    expect(nextVotes(high, undefined, 90_000, rules)).toEqual(high);
    expect(nextVotes(high, Number.NaN, 90_000, rules)).toEqual(high);
    expect(nextVotes(high, undefined, 900_000, rules)).toMatchObject({ isHigh: false, window: [] });
    expect(nextVotes(high, 1.4, 90_000, rules, false)).toMatchObject({ isHigh: false, votes: [] });
  });

  it("is never high twice within the cool-down, whatever comes", () => {
    fc.assert(
      fc.property(
        fc.array(fc.option(fc.double({ min: 0, max: 3, noNaN: true }), { nil: undefined }), { maxLength: 150 }),
        (values) => {
          let track: VoteTrack | undefined;
          let leftAtMs = Number.NEGATIVE_INFINITY;
          for (const [index, value] of values.entries()) {
            const nowMs = index * 10_000;
            const next = nextVotes(track, value, nowMs, rules);
            if (track?.isHigh === true && !next.isHigh) leftAtMs = nowMs;
            if (track?.isHigh === false && next.isHigh)
              expect(nowMs - leftAtMs).toBeGreaterThanOrEqual(rules.cooldownMs);
            track = next;
          }
        },
      ),
      { numRuns: 200, seed: 51 },
    );
  });
});
