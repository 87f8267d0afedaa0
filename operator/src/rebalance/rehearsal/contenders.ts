// Who may rebalance an invented fleet: our advice, the plain threshold rule, nobody. Each is asked once an interval and says
// what to move in it.
import type { LoadSnapshot } from "../../signals/snapshot.ts";
import { advise, memoryAfterPlan, NO_MEMORY, planPodsFor, type Outcome, type RebalanceMemory } from "../advice.ts";
import { relativeLoadsOf } from "../load.ts";
import type { RebalanceSettings } from "../settings.ts";
import { planByThreshold } from "../threshold-rule.ts";

export type Order = {
  readonly from: string;
  readonly to: string;
  readonly partition: number | undefined;
  readonly count: number;
};

export type Contender = {
  /** Moves for this interval, at most `budget` connections. */
  next(snapshot: LoadSnapshot, budget: number): readonly Order[];
  readonly outcomes: readonly Outcome[];
};

export const CONTENDERS = { wscluster: ours, "threshold-rule": plainRule, nobody } as const;
export type ContenderName = keyof typeof CONTENDERS;

function ours(settings: RebalanceSettings): Contender {
  let memory: RebalanceMemory = NO_MEMORY;
  let open: Order[] = [];
  let promised: number | undefined;
  const outcomes: Outcome[] = [];
  return {
    outcomes,
    next(snapshot, budget) {
      if (open.length === 0) {
        const step = advise(memory, snapshot, settings);
        memory = step.memory;
        if (step.advice.outcome !== undefined) outcomes.push(step.advice.outcome);
        if (step.advice.plan === undefined) return [];
        open = [...step.advice.plan.moves];
        promised = step.advice.plan.predictedPercent;
      }
      const orders: Order[] = [];
      for (let left = budget; left > 0 && open.length > 0;) {
        const [first, ...rest] = open;
        if (first === undefined) break;
        const count = Math.min(left, first.count);
        orders.push({ ...first, count });
        left -= count;
        open = count === first.count ? rest : [{ ...first, count: first.count - count }, ...rest];
      }
      if (open.length === 0) memory = memoryAfterPlan(memory, snapshot.atMs, settings, promised);
      return orders;
    },
  };
}

function plainRule(settings: RebalanceSettings): Contender {
  return {
    outcomes: [],
    next(snapshot, budget) {
      const relative = relativeLoadsOf(snapshot, settings);
      let left = budget;
      return planByThreshold(planPodsFor(snapshot, relative.loads, relative, settings)).flatMap((move) => {
        const count = Math.min(left, move.count);
        left -= count;
        return count > 0 ? [{ ...move, count, partition: undefined }] : [];
      });
    },
  };
}

function nobody(): Contender {
  return { outcomes: [], next: () => [] };
}
