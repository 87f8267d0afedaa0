import { describe, expect, it } from "vitest";
import { clusterSlotOf, slotRangesOf } from "./cluster-slots.ts";

describe("slots of a cluster", () => {
  it("are counted as the specification's examples are", () => {
    expect(clusterSlotOf("123456789")).toBe(0x31c3);
    expect(clusterSlotOf("{user1000}.following")).toBe(clusterSlotOf("user1000"));
    expect(clusterSlotOf("foo{}{bar}")).not.toBe(clusterSlotOf("bar"));
  });

  it("are read from a node's answer, also where it does not know its own name", () => {
    const reply = [
      [0, 10, [Buffer.from("10.0.0.1"), 6379, Buffer.from("id")]],
      [11, 16_383, [Buffer.from(""), 6380, Buffer.from("id")]],
      ["nonsense"],
    ];
    expect(slotRangesOf(reply, "10.0.0.9")).toEqual([
      { first: 0, last: 10, address: "10.0.0.1:6379" },
      { first: 11, last: 16_383, address: "10.0.0.9:6380" },
    ]);
    expect(slotRangesOf(undefined, "x")).toEqual([]);
  });
});
