import { describe, expect, it } from "vitest";
import { CLOSE_CODES } from "@wscluster/protocol";
import { closeLabel, errorKindOf, errorKindOfClose } from "./error-kinds.ts";

describe("labels of closes", () => {
  it("stay bounded whatever codes clients close with", () => {
    const labels = new Set(Array.from({ length: 4_000 }, (_, index) => closeLabel(1_000 + index)));
    expect(labels.size).toBe(Object.keys(CLOSE_CODES).length + 7 + 1);
    expect(closeLabel(4_200)).toBe("4200");
    expect(closeLabel(1_006)).toBe("1006");
    expect(closeLabel(4_999)).toBe("other");
  });

  it("tell broken connections, broken messages and silence apart; an orderly end is none", () => {
    expect([1_006, 1_009, 4_104, 1_000, 4_200].map(errorKindOfClose)).toEqual([
      "connection",
      "message",
      "timeout",
      undefined,
      undefined,
    ]);
    expect([errorKindOf("bad-frame"), errorKindOf("unavailable")]).toEqual(["message", "timeout"]);
  });
});
