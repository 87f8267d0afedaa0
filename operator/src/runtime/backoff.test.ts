import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backoffMs } from "./backoff.ts";

const policy = { baseMs: 100, capMs: 5000 };

describe("backoffMs", () => {
  it("doubles up to the cap, half of it fixed", () => {
    expect([1, 2, 3, 7, 50, 5000].map((attempt) => backoffMs(attempt, policy, 0))).toEqual([
      50, 100, 200, 2500, 2500, 2500,
    ]);
    expect(backoffMs(1, policy, 0.5)).toBe(75);
  });

  it("stays in its bounds for any attempt", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -5, max: 1e9 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (n, r) => {
          const delayMs = backoffMs(n, policy, r);
          expect(delayMs).toBeGreaterThanOrEqual(policy.baseMs / 2);
          expect(delayMs).toBeLessThanOrEqual(policy.capMs);
        },
      ),
    );
  });
});
