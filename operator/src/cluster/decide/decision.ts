// All that a pass found out and decided, as the report needs it. Pure.
import { type IntentId, NO_RECEIPTS, type Receipts } from "@wscluster/protocol";
import type { MovePlan } from "../../moves/planner.ts";
import { type ClusterFacts, freshValue } from "../facts.ts";
import type { BalancePlan } from "./balance/balance.ts";
import type { Dependencies } from "./dependencies.ts";
import type { EdgePlan } from "./edge-sets.ts";
import type { Movement } from "./moving.ts";
import type { Rollout } from "./rollout.ts";
import type { Scale } from "./scale.ts";
import type { PlannedSet } from "./sets.ts";

export type Decision = {
  readonly facts: ClusterFacts;
  readonly dependencies: Dependencies;
  readonly rollout: Rollout;
  readonly taker: PlannedSet | undefined;
  readonly handedOver: boolean;
  readonly scale: Scale;
  readonly movement: Movement;
  readonly moves: MovePlan;
  readonly edge: EdgePlan;
  readonly balance: Pick<BalancePlan, "verdict">;
};

type Attempt = Pick<PlannedSet, "attempt" | "startedAtMs">;

/**
 * The id under which the store counts an attempt's moves. With the second of its start: receipts outlive the cluster, and one that is
 * deleted and made again (or a revision whose history was pruned) counts its attempts from 1 again.
 */
export function intentFor(kind: "rollout" | "rollback", { attempt, startedAtMs }: Attempt): IntentId {
  return `${kind}/${attempt}/${Math.floor(startedAtMs / 1_000)}`;
}

/**
 * Totals of an attempt's intents. With a shared store every pod reports the same totals of the whole cluster; the largest
 * of each is the newest.
 */
export function receiptsOf(facts: Pick<ClusterFacts, "pods">, attempt: Attempt): Receipts {
  return receiptsFor(facts, [intentFor("rollout", attempt), intentFor("rollback", attempt)]);
}

export function receiptsFor(facts: Pick<ClusterFacts, "pods">, intents: readonly string[]): Receipts {
  let sum = NO_RECEIPTS;
  for (const intent of intents) {
    let most = NO_RECEIPTS;
    for (const pod of facts.pods) {
      const receipts = freshValue(pod.state)?.receipts[intent];
      if (receipts !== undefined) most = combine(most, receipts, Math.max);
    }
    sum = combine(sum, most, (a, b) => a + b);
  }
  return sum;
}

function combine(a: Receipts, b: Receipts, by: (a: number, b: number) => number): Receipts {
  return {
    offered: by(a.offered, b.offered),
    moved: by(a.moved, b.moved),
    resumed: by(a.resumed, b.resumed),
    refused: by(a.refused, b.refused),
    late: by(a.late, b.late),
    cut: by(a.cut, b.cut),
    unknown: by(a.unknown, b.unknown),
  };
}
