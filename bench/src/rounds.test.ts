import { describe, expect, it } from "vitest";
import { interleaved, medianOf, mediansOf } from "./rounds.ts";

describe("rounds", () => {
  it("turn the order round each time", () => {
    expect(interleaved(["A", "B"], 3)).toEqual(["A", "B", "B", "A", "A", "B"]);
  });

  it("are summed up by medians of one contender", () => {
    expect(medianOf([5, 1, 3])).toBe(3);
    expect(medianOf([4, 1, 3, 2])).toBe(2.5);
    expect(medianOf([])).toBe(0);
    const rounds = [
      { contender: "A", figures: { ms: 1 } },
      { contender: "B", figures: { ms: 100 } },
      { contender: "A", figures: { ms: 3, lost: 0 } },
    ];
    expect(mediansOf(rounds, "A")).toEqual({ ms: 2, lost: 0 });
    expect(mediansOf(rounds, "C")).toEqual({});
  });
});
