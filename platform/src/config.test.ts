import { describe, expect, it } from "vitest";
import { z } from "zod";
import { booleanVariable, configHelp, integerVariable, listVariable, loadConfig } from "./config.ts";

const schema = z.object({
  A_PORT: integerVariable({ min: 0, max: 65_535 }).default(8_080).describe("Port to listen on."),
  A_FLAG: booleanVariable().default(true).describe("A switch."),
  A_LIST: listVariable().default([]).describe("Names."),
  A_SECRET: z.string().min(8, "must have at least 8 characters").optional().describe("A secret."),
});

describe("loadConfig", () => {
  it("fills defaults and reads text, an empty variable being absent", () => {
    expect(loadConfig(schema, { A_PORT: "", A_FLAG: "false", A_LIST: "a, b,,", OTHER: "1" })).toEqual({
      ok: true,
      value: { A_PORT: 8_080, A_FLAG: false, A_LIST: ["a", "b"] },
    });
  });

  it("reports every problem at once and repeats no value", () => {
    const result = loadConfig(schema, { A_PORT: "70000", A_FLAG: "yes", A_SECRET: "hunter2" });
    if (result.ok) throw new Error("expected problems");
    expect(result.problems.map((problem) => problem.split(":")[0])).toEqual(["A_PORT", "A_FLAG", "A_SECRET"]);
    expect(result.problems.join()).not.toContain("hunter2");
  });
});

describe("configHelp", () => {
  it("has a line per variable with its default", () => {
    expect(configHelp(schema).split("\n")).toEqual([
      "  A_PORT    Port to listen on. [8080]",
      "  A_FLAG    A switch. [true]",
      "  A_LIST    Names.",
      "  A_SECRET  A secret.",
    ]);
  });
});
