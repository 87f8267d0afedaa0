import { describe, expect, it } from "vitest";
import { orderCandidates } from "./candidates.ts";

const one = (name: string, lastActiveMs: number, canMove = true, edge = "e1", key = "") => ({
  name,
  lastActiveMs,
  canMove,
  edge,
  key,
  partition: key.length,
});
const all = [one("busy", 30), one("plain", 1, false), one("idle", 10), one("far", 20, true, "e2")];
const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name);

describe("orderCandidates", () => {
  it("takes the longest idle first, and those that can only be cut last", () => {
    expect(names(orderCandidates(all, {}, () => 0))).toEqual(["idle", "far", "busy", "plain"]);
  });

  it("shuffles a sample", () => {
    const randoms = [0.9, 0.1, 0.5, 0.2];
    let n = 0;
    expect(names(orderCandidates(all, { order: "sample" }, () => randoms[n++] ?? 0))).toEqual([
      "far",
      "idle",
      "busy",
      "plain",
    ]);
  });

  it("takes those of one edge only", () => {
    expect(names(orderCandidates(all, { edge: "e2" }, () => 0))).toEqual(["far"]);
  });

  it("takes those of one partition or one key only, and of both when both are said", () => {
    const keyed = [one("a", 3, true, "e1", "xx"), one("b", 2, true, "e2", "yy"), one("c", 1, true, "e1", "z")];
    expect(names(orderCandidates(keyed, { partition: 2 }, () => 0))).toEqual(["b", "a"]);
    expect(names(orderCandidates(keyed, { key: "z" }, () => 0))).toEqual(["c"]);
    expect(names(orderCandidates(keyed, { partition: 2, edge: "e1" }, () => 0))).toEqual(["a"]);
    expect(names(orderCandidates(keyed, { partition: 2, key: "z" }, () => 0))).toEqual([]);
  });
});
