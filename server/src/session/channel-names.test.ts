import { describe, expect, it } from "vitest";
import { isChannelName, isReadable, isWritable, streamOf } from "./channel-names.ts";

describe("channel names", () => {
  it("have a length, no control characters, and do not begin as reserved ones do", () => {
    expect(["a", "room:1/x", "é".repeat(100), "a b", "a~"].every(isChannelName)).toBe(true);
    const bad = ["", "$tenant", "a\u0000", "a\n", "é".repeat(101), "~inbox", "~user/ann", "~presence/room"];
    expect(bad.some(isChannelName)).toBe(false);
  });

  it("of inboxes: the own one can be read, anybody's can be written", () => {
    expect(["~inbox", "~user/ann", "~presence/room", "room"].map(isReadable)).toEqual([true, false, false, true]);
    const names = ["~inbox", "~user/ann", "~user/", "~user/a/b", "~user/a\nb", "~presence/room", "room"];
    expect(names.map(isWritable)).toEqual([false, true, false, false, false, false, true]);
    const ann = { tenant: "acme", user: "ann", id: "s1" };
    expect(streamOf(ann, "~inbox")).toBe(streamOf({ tenant: "acme", user: "bob", id: "s2" }, "~user/ann"));
    expect(streamOf(ann, "room")).toBe("acme/room");
  });
});
