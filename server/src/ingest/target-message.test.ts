import { describe, expect, it } from "vitest";
import { targetMessageOf } from "./target-message.ts";

const parse = (message: unknown) => targetMessageOf(typeof message === "string" ? message : JSON.stringify(message));

describe("a message that names its target", () => {
  it.each([
    [
      { target_type: "user", target_id: "ann", data: 1 },
      { type: "user", id: "ann" },
    ],
    [
      { target_type: "channel", target_id: "room", tenant_id: "acme", data: 1 },
      { type: "channel", id: "room", tenant: "acme" },
    ],
    [
      { target_type: "session", target_id: "s-1", tenant_id: null, data: 1 },
      { type: "session", id: "s-1" },
    ],
    [
      { target_type: "inbox", target_id: "ann", data: 1 },
      { type: "inbox", id: "ann" },
    ],
    [
      { target_type: "tenant", target_id: "acme", data: 1 },
      { type: "tenant", id: "acme" },
    ],
    [{ target_type: "all", data: 1 }, { type: "all" }],
  ])("%j", (message, target) => {
    expect(parse(message)).toEqual({ delivery: { target, text: "1" } });
  });

  it.each([
    ["no json", "bad-json"],
    ["[]", "bad-json"],
    ["null", "bad-json"],
    [{ target_type: "all" }, "bad-json"],
    [{ target_type: "everybody", data: 1 }, "bad-target"],
    [{ target_type: "user", data: 1 }, "bad-target"],
    [{ target_type: "user", target_id: 7, data: 1 }, "bad-target"],
    [{ target_type: "user", target_id: "a/b", data: 1 }, "bad-target"],
    [{ target_type: "channel", target_id: "~me", data: 1 }, "bad-target"],
    [{ target_type: "channel", target_id: "a", tenant_id: 1, data: 1 }, "bad-target"],
    [{ target_type: "all", id: 1, data: 1 }, "bad-target"],
    [{ target_type: "all", id: "x".repeat(129), data: 1 }, "bad-target"],
    [{ target_type: "all", data: "x".repeat(65_536) }, "bad-payload"],
  ])("left out: %j", (message, error) => {
    expect(parse(message)).toEqual({ error });
  });

  it("keeps the sender's name of the message, and the data as it is", () => {
    const message = { target_type: "all", id: "order-1", data: { a: ["ä", null] } };
    expect(parse(message)).toMatchObject({ delivery: { id: "order-1", text: '{"a":["ä",null]}' } });
  });
});
