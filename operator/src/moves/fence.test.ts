import { describe, expect, it } from "vitest";
import { judgeFence, nextEpoch, storedFenceOf } from "./fence.ts";

const stored = (epoch: number, installation?: string, term?: string) => ({ epoch, installation, term });

describe("judgeFence", () => {
  it.each([
    ["nobody's", stored(0), undefined, [], false, { kind: "claim", epoch: 1 }],
    ["ours of an earlier term", stored(4, "me"), undefined, [], false, { kind: "claim", epoch: 5 }],
    ["ours of this term", stored(4, "me"), 4, [4, 3], false, { kind: "held", epoch: 4 }],
    [
      "our first claim, of which no answer came",
      stored(5, "me", "mine"),
      undefined,
      [],
      false,
      { kind: "held", epoch: 5 },
    ],
    ["our second claim, of which no answer came", stored(5, "me", "mine"), 4, [5], false, { kind: "held", epoch: 5 }],
    ["a pod has seen more than that claim", stored(5, "me", "mine"), 4, [6], false, { kind: "claim", epoch: 7 }],
    [
      "a newer leader of ours took it, with a term of its own",
      stored(5, "me", "other"),
      4,
      [],
      false,
      { kind: "deposed", epoch: 5 },
    ],
    ["a pod has seen more, as after a restored backup", stored(4, "me"), 4, [9], false, { kind: "claim", epoch: 10 }],
    ["a newer leader of ours took it", stored(5, "me"), 4, [], false, { kind: "deposed", epoch: 5 }],
    ["somebody removed it", stored(0), 4, [4], false, { kind: "claim", epoch: 5 }],
    [
      "of another live installation",
      stored(4, "other"),
      undefined,
      [],
      true,
      { kind: "foreign", installation: "other" },
    ],
    ["of another installation that is gone", stored(4, "other"), undefined, [6], false, { kind: "claim", epoch: 7 }],
  ] as const)("%s", (_name, fence, epoch, reported, isForeignLive, verdict) => {
    expect(judgeFence(fence, { installation: "me", term: "mine", epoch }, reported, isForeignLive)).toEqual(verdict);
  });
});

it("reads nonsense as nothing", () => {
  expect(storedFenceOf({ "wscluster.io/operator-epoch": "-3" })).toEqual({
    epoch: 0,
    installation: undefined,
    term: undefined,
  });
  expect(storedFenceOf(undefined).epoch).toBe(0);
  expect(nextEpoch(3, [1, 8])).toBe(9);
});
