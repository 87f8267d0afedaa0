import { describe, expect, it } from "vitest";
import { commandIn } from "./redis-commands.ts";

describe("commandIn", () => {
  it("names what a client asked, and nothing that a script did", () => {
    expect(commandIn('+1700000000.123456 [0 127.0.0.1:50000] "EVALSHA" "abc" "1" "key"')).toBe("evalsha");
    expect(commandIn('+1700000000.123456 [0 lua] "XADD" "stream" "1-0"')).toBeUndefined();
    expect(commandIn("+OK")).toBeUndefined();
  });
});
