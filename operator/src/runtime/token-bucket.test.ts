import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { emptyBucket, fullBucket, refillBucket, takeTokens, takeUpTo, type TokenBucket } from "./token-bucket.ts";

const spec = { ratePerSecond: 10, burst: 5 };

describe("takeTokens", () => {
  it("takes all or nothing and says when there will be enough", () => {
    const full = fullBucket(spec, 0);
    const first = takeTokens(full, spec, 0, 5);
    expect(first).toMatchObject({ taken: 5, retryAfterMs: 0 });
    const refused = takeTokens(first.bucket, spec, 0, 2);
    expect(refused).toMatchObject({ taken: 0, retryAfterMs: 200 });
    expect(takeTokens(refused.bucket, spec, 199, 2).taken).toBe(0);
    expect(takeTokens(refused.bucket, spec, 200, 2).taken).toBe(2);
    expect(takeTokens(full, spec, 0, 6).retryAfterMs).toBe(Infinity);
  });

  it("gains nothing when time goes backwards", () => {
    const bucket = takeTokens(fullBucket(spec, 1000), spec, 1000, 5).bucket;
    const back = refillBucket(bucket, spec, 0);
    expect(back).toEqual({ tokens: 0, updatedAtMs: 1000 });
    expect(refillBucket(back, spec, 1100).tokens).toBeCloseTo(1);
  });
});

describe("takeUpTo", () => {
  it("takes whole tokens only", () => {
    const bucket = refillBucket(emptyBucket(0), spec, 250);
    expect(takeUpTo(bucket, spec, 250, 100)).toMatchObject({ taken: 2, retryAfterMs: 0 });
    expect(takeUpTo(emptyBucket(0), spec, 0, 3)).toMatchObject({ taken: 0, retryAfterMs: 100 });
    expect(takeUpTo(emptyBucket(0), spec, 0, 0)).toMatchObject({ taken: 0, retryAfterMs: 0 });
  });
});

it("never gives more than burst + rate x time over any interval", () => {
  const step = fc.record({
    waitMs: fc.integer({ min: -50, max: 2000 }),
    count: fc.integer({ min: 0, max: 8 }),
    exact: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let bucket: TokenBucket = fullBucket(spec, 0);
      let nowMs = 0;
      let latestMs = 0;
      const grants: { atMs: number; taken: number }[] = [];
      for (const { waitMs, count, exact } of steps) {
        nowMs += waitMs;
        latestMs = Math.max(latestMs, nowMs);
        const result = (exact ? takeTokens : takeUpTo)(bucket, spec, nowMs, count);
        bucket = result.bucket;
        expect(bucket.tokens).toBeGreaterThanOrEqual(0);
        grants.push({ atMs: latestMs, taken: result.taken });
      }
      for (let from = 0; from < grants.length; from++) {
        let taken = 0;
        for (let to = from; to < grants.length; to++) {
          taken += grants[to]?.taken ?? 0;
          const spanMs = (grants[to]?.atMs ?? 0) - (grants[from]?.atMs ?? 0);
          expect(taken).toBeLessThanOrEqual(spec.burst + (spanMs * spec.ratePerSecond) / 1000 + 1e-6);
        }
      }
    }),
  );
});
