import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isSameQuantity, parseQuantity } from "./quantity.ts";

describe("quantities", () => {
  it.each([
    ["0.5", "500m"],
    ["1Gi", "1073741824"],
    ["1", 1],
    ["1e3", "1k"],
    ["1E3", "1000"],
    ["1E", "1000P"],
    [".5Gi", "512Mi"],
    ["+2", "2"],
    ["1500m", 1.5],
    ["100n", "0.0000001"],
    ["0", "0Ki"],
  ])("%s is %s", (a, b) => {
    expect(isSameQuantity(a, b)).toBe(true);
    expect(isSameQuantity(b, a)).toBe(true);
  });

  it.each([
    ["1", "1m"],
    ["1Gi", "1G"],
    ["1", "-1"],
    ["", ""],
    ["x", "x"],
    [".", "."],
    ["1 Gi", "1Gi"],
    ["1ee3", "1ee3"],
  ])("%s is not known to be %s", (a, b) => {
    expect(isSameQuantity(a, b)).toBe(false);
  });

  it("reads what it writes, in millis and in Ki", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e9 }), (n) => {
        expect(parseQuantity(`${n}m`)).toBe(BigInt(n) * 1_000_000n);
        expect(parseQuantity(n / 1000)).toBe(BigInt(n) * 1_000_000n);
        expect(parseQuantity(`${n}Ki`)).toBe(BigInt(n) * 1024n * 1_000_000_000n);
      }),
    );
  });
});
