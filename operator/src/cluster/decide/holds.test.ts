// The order of precedence, row by row: everything that may stop a move at once, and who of it is named.
import { describe, expect, it } from "vitest";
import { webSocketClusterSpec } from "@wscluster/crds";
import { type Hold, holdOf, type MoveClass, windowChangeMs } from "./holds.ts";

const NOW = Date.parse("2030-01-01T12:00:00Z");
const CLOSED = [{ start: "03:00", durationMinutes: 60 }];
const OPEN = [{ start: "11:30", durationMinutes: 60 }];

type Stops = {
  operator?: boolean;
  cluster?: boolean;
  store?: "down" | "unknown";
  storm?: boolean;
  windows?: typeof OPEN;
};

function facts({ operator = false, cluster = false, storm = false, windows = OPEN }: Stops) {
  const spec = webSocketClusterSpec.parse({
    server: { image: "chat:1" },
    redis: { url: "redis://r" },
    moves: { paused: cluster, windows },
  });
  const stormFacts = storm ? { arrivalsPerSecond: 900, admittedPerSecond: 100 } : undefined;
  return { spec, nowMs: NOW, operatorPaused: operator, storm: stormFacts };
}

const ALL: Stops = { operator: true, cluster: true, store: "down", storm: true, windows: CLOSED };

describe("precedence", () => {
  const names = (stops: Stops) =>
    (["lastPart", "evacuation", "wayBack", "voluntary"] as const).map(
      (of: MoveClass) => holdOf(facts(stops), { state: stops.store ?? "ok" }, of)?.reason ?? "-",
    );

  it.each<[string, Stops, (Hold["reason"] | "-")[]]>([
    // last part, evacuation, way back, voluntary
    ["nothing", {}, ["-", "-", "-", "-"]],
    ["everything", ALL, ["OperatorPaused", "OperatorPaused", "OperatorPaused", "OperatorPaused"]],
    ["all but the operator's switch", { ...ALL, operator: false }, Array<Hold["reason"]>(4).fill("MovesPaused")],
    [
      "no switch",
      { ...ALL, operator: false, cluster: false },
      ["-", "DependencyFreeze", "DependencyFreeze", "DependencyFreeze"],
    ],
    [
      "a store that nobody knows of",
      { store: "unknown" },
      ["-", "DependencyFreeze", "DependencyFreeze", "DependencyFreeze"],
    ],
    ["a storm and a closed window", { storm: true, windows: CLOSED }, ["-", "-", "-", "StormBrake"]],
    ["a closed window", { windows: CLOSED }, ["-", "-", "-", "OutsideWindow"]],
  ])("%s", (_name, stops, reasons) => {
    expect(names(stops)).toEqual(reasons);
  });

  it("says when the next window opens, and when to look again", () => {
    expect(holdOf(facts({ windows: CLOSED }), { state: "ok" }, "voluntary")).toEqual({
      reason: "OutsideWindow",
      message: "outside of `moves.windows`; the next one opens at 2030-01-02T03:00:00.000Z",
      untilMs: Date.parse("2030-01-02T03:00:00Z"),
    });
    expect(windowChangeMs(facts({ windows: CLOSED }))).toBe(15 * 3_600_000);
    expect(windowChangeMs(facts({}))).toBe(30 * 60_000);
    expect(windowChangeMs(facts({ windows: [] }))).toBe(undefined);
  });
});
