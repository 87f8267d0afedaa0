import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Ring } from "./ring.ts";

const frame = (offset: number, bytes = 4) => Buffer.alloc(bytes, offset % 256);

describe("Ring", () => {
  it("gives the frames after a cursor only when it has all of them", () => {
    const ring = new Ring(10, 1_000);
    for (const offset of [5, 6, 7]) ring.push(offset, frame(offset));
    expect([3, 4, 5, 6, 7, 8].map((cursor) => ring.covers(cursor))).toEqual([false, true, true, true, false, false]);
    expect(ring.after(5, 10).map(([byte]) => byte)).toEqual([6, 7]);
    expect(ring.after(4, 2)).toHaveLength(2);
  });

  it("starts anew at a jump and forgets above a cut", () => {
    const ring = new Ring(10, 1_000);
    ring.push(1, frame(1));
    ring.push(9, frame(9));
    expect(ring.covers(0)).toBe(false);
    expect(ring.covers(8)).toBe(true);
    for (const offset of [10, 11]) ring.push(offset, frame(offset));
    ring.truncate(9);
    expect(ring.covers(9)).toBe(false);
    ring.push(10, frame(77));
    expect(ring.after(9, 1).map(([byte]) => byte)).toEqual([77]);
    ring.truncate(3);
    expect(ring.covers(8)).toBe(false);
  });

  it("stays within its bounds, contiguous, and ends with the newest", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 100 }), (sizes) => {
        const ring = new Ring(16, 1_000);
        let offset = 0;
        for (const size of sizes) {
          offset += 1;
          ring.push(offset, frame(offset, size));
          expect(ring.bytes <= 1_000).toBe(true);
        }
        expect(ring.covers(offset - 1)).toBe(true);
        let first = offset - 1;
        while (first > 0 && ring.covers(first - 1)) first -= 1;
        const kept = ring.after(first, 1_000);
        expect(kept.length).toBeLessThanOrEqual(16);
        expect(kept.map(([byte]) => byte)).toEqual(kept.map((_, n) => (first + 1 + n) % 256));
      }),
    );
  });
});
