import { describe, expect, it } from "vitest";
import { addressOf } from "./client-address.ts";

describe("addressOf", () => {
  it("believes only what the nearest proxy wrote, and the peer without one", () => {
    expect(addressOf("6.6.6.6, 10.0.0.1", "10.9.9.9")).toBe("10.0.0.1");
    expect(addressOf(undefined, "10.9.9.9")).toBe("10.9.9.9");
    expect(addressOf("", "10.9.9.9")).toBe("10.9.9.9");
    expect(addressOf(undefined, undefined)).toBe("");
  });

  it("takes IPv4 and its mapped form for one", () => {
    expect(addressOf(undefined, "::ffff:10.0.0.1")).toBe("10.0.0.1");
    expect(addressOf(undefined, "::1")).toBe("::1");
  });
});
