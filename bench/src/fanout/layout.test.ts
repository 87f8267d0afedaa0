import { describe, expect, it } from "vitest";
import { FULL, manyChannels, membersOf, overlappingLists } from "./layout.ts";

describe("layouts", () => {
  it("gives each of many channels the same number of members, and no socket a channel twice", () => {
    const layout = manyChannels(2_000, 5, 5);
    expect(layout.sockets).toBe(2_000);
    expect(new Set(membersOf(layout).values())).toEqual(new Set([5]));
    for (let socket = 0; socket < layout.sockets; socket += 1) expect(new Set(layout.channelsOf(socket)).size).toBe(5);
  });

  it("gives sockets lists that overlap and seldom are the same", () => {
    const layout = overlappingLists(200, 500, 20);
    const lists = new Map<string, number>();
    for (let socket = 0; socket < layout.sockets; socket += 1) {
      const key = layout.channelsOf(socket).join();
      lists.set(key, (lists.get(key) ?? 0) + 1);
    }
    expect(Math.max(...lists.values())).toBeLessThanOrEqual(3);
    const deliveries = [...membersOf(layout).values()].reduce((sum, members) => sum + members, 0);
    expect(deliveries).toBe(500 * 20);
  });

  it("names every work once", () => {
    const names = FULL.flatMap((plan) => plan.works.map((work) => work.name));
    expect(new Set(names).size).toBe(names.length);
  });
});
