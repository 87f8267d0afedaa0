// In which order scenarios run, and which of them together. Pure.
import type { Scenario } from "./scenario.ts";

export type Order = {
  /** Started first, and left to run. */
  readonly beside: readonly Scenario[];
  /** One after another meanwhile. */
  readonly inTurn: readonly Scenario[];
  /** One after another when all the others have ended. */
  readonly alone: readonly Scenario[];
};

export function orderOf(chosen: readonly Scenario[]): Order {
  return {
    beside: chosen.filter((scenario) => scenario.company === "beside"),
    inTurn: chosen.filter((scenario) => scenario.company === undefined),
    alone: chosen.filter((scenario) => scenario.company === "alone"),
  };
}
