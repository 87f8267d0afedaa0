import { describe, expect, it } from "vitest";
import { createLogger } from "./logger.ts";

describe("createLogger", () => {
  it("writes one JSON line with bindings and without secrets", () => {
    const lines: string[] = [];
    const logger = createLogger("info", { pod: "p1" }, { write: (line: string) => void lines.push(line) });
    logger.info({ hello: { token: "abc", user: "ann" }, secret: "xyz" }, "session opened");
    logger.debug("not written");
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      level: "info",
      pod: "p1",
      msg: "session opened",
      secret: "[removed]",
      hello: { token: "[removed]", user: "ann" },
    });
  });
});
