import { describe, expect, it } from "vitest";
import { orderOf } from "./order.ts";
import { SCENARIOS } from "./registry.ts";

describe("order of scenarios", () => {
  it("runs each once, and those that touch what all share only when nobody else runs", () => {
    const { beside, inTurn, alone } = orderOf(SCENARIOS);
    expect([...beside, ...inTurn, ...alone].map(({ name }) => name).toSorted()).toEqual(
      SCENARIOS.map(({ name }) => name).toSorted(),
    );
    expect(alone.map(({ name }) => name)).toEqual([
      "blue-green",
      "operator-killed",
      "redis-paused",
      "node-drains",
      "changed-minds",
      "scaled-in-flight",
      "operators-replaced",
      "operator-upgraded",
      "uninstalled",
    ]);
    expect(beside.map(({ name }) => name)).toEqual(["asks-first", "idle"]);
  });

  it("has a name of its own for each", () => {
    expect(new Set(SCENARIOS.map(({ name }) => name)).size).toBe(SCENARIOS.length);
  });
});
