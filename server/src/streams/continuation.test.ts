import { describe, expect, it } from "vitest";
import { continuationOf } from "./continuation.ts";

const top = { epoch: "e3", top: 120, lives: [["e1", 90] as const, ["e2", 95] as const] };

describe("continuationOf", () => {
  it.each([
    [
      { epoch: "e3", offset: 120 },
      { kind: "continue", after: 120 },
    ],
    [
      { epoch: "e3", offset: 0 },
      { kind: "continue", after: 0 },
    ],
    [
      { epoch: "e1", offset: 90 },
      { kind: "continue", after: 90 },
    ],
    [
      { epoch: "e1", offset: 91 },
      { kind: "diverged", prev: { epoch: "e1", offset: 90 }, next: "e2" },
    ],
    [
      { epoch: "e2", offset: 93 },
      { kind: "continue", after: 93 },
    ],
    [
      { epoch: "e2", offset: 96 },
      { kind: "diverged", prev: { epoch: "e2", offset: 95 }, next: "e3" },
    ],
    [
      { epoch: "e3", offset: 121 },
      { kind: "diverged", prev: { epoch: "e3", offset: 120 }, next: "e3" },
    ],
    [{ epoch: "e0", offset: 1 }, { kind: "unknown" }],
  ])("of %j is %j", (from, expected) => {
    expect(continuationOf(from, top)).toEqual(expected);
  });
});
