// What stops moves, in order of precedence. Pure. One question for all users of the engine: may moves of this kind be asked for now?
//   the user's kill switches > an external deadline in its last part > dependency freeze > storm brake > maintenance windows > pace
// Not here: the pace (moves/), whether the taker has been handed over (edges.ts).
import { type ClusterFacts } from "../facts.ts";
import type { ConditionReason } from "../reasons.ts";
import { timestampOf } from "./children/replica-set.ts";
import type { Dependencies } from "./dependencies.ts";
import type { Waiting } from "./rollout/draft.ts";
import { judgeWindows } from "./windows.ts";

/**
 * `lastPart`: off a pod that somebody else ends within moments. `evacuation`: off a pod that has to go, or that has begun to leave.
 * `wayBack`: off a candidate that was given up. `voluntary`: everything else.
 */
export type MoveClass = "lastPart" | "evacuation" | "wayBack" | "voluntary";

export type Hold = {
  readonly reason: Extract<
    ConditionReason,
    "OperatorPaused" | "MovesPaused" | "DependencyFreeze" | "StormBrake" | "OutsideWindow"
  >;
  readonly message: string;
  /** When it ends by itself. */
  readonly untilMs?: number;
};

export function holdOf(
  facts: Pick<ClusterFacts, "spec" | "nowMs" | "operatorPaused" | "storm">,
  dependencies: Pick<Dependencies, "state">,
  of: MoveClass,
): Hold | undefined {
  const { spec, storm } = facts;
  if (facts.operatorPaused) {
    return {
      reason: "OperatorPaused",
      message: "`movesPaused` is set in the operator's ConfigMap: no connection of any cluster is moved",
    };
  }
  if (spec.moves?.paused === true) {
    return { reason: "MovesPaused", message: "`moves.paused` is set: no connection is moved" };
  }
  if (of === "lastPart") return undefined;
  if (dependencies.state !== "ok") {
    return { reason: "DependencyFreeze", message: "the store is away: no connection is moved until it is back" };
  }
  if (of === "evacuation" || of === "wayBack") return undefined;
  if (storm !== undefined) {
    return {
      reason: "StormBrake",
      message: `${storm.arrivalsPerSecond} arrivals per second at the edge, ${storm.admittedPerSecond} are admitted: moves wait until the storm is over`,
    };
  }
  return windowHold(facts);
}

/** The hold of the maintenance windows, whatever else holds. */
export function windowHold({ spec, nowMs }: Pick<ClusterFacts, "spec" | "nowMs">): Hold | undefined {
  const window = judgeWindows(spec.moves?.windows, nowMs);
  if (window.kind === "open") return undefined;
  const { opensAtMs } = window;
  if (opensAtMs === undefined) {
    return { reason: "OutsideWindow", message: "none of `moves.windows` ever opens: check their time zones" };
  }
  return {
    reason: "OutsideWindow",
    message: `outside of \`moves.windows\`; the next one opens at ${timestampOf(opensAtMs)}`,
    untilMs: opensAtMs,
  };
}

/** A rollout that stands still because of a hold. */
export function waitFor({ reason, message, untilMs }: Hold): Omit<Waiting, "sinceMs"> {
  if (reason !== "OutsideWindow") return { reason, message: `${message}; everything stays as it is` };
  const unblock = "a change of `moves.windows`";
  return {
    reason,
    message,
    unblock,
    ...(untilMs === undefined ? {} : { deadlineMs: untilMs, then: "the rollout goes on" }),
  };
}

/** When the windows open or close next, from now on; undefined where there are none. */
export function windowChangeMs(facts: Pick<ClusterFacts, "spec" | "nowMs">): number | undefined {
  const window = judgeWindows(facts.spec.moves?.windows, facts.nowMs);
  const atMs = window.kind === "open" ? window.untilMs : window.opensAtMs;
  return atMs === undefined || atMs === Infinity ? undefined : atMs - facts.nowMs;
}
