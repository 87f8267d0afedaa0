// What a decision answers: writes in the order in which they are to be done. Data only; act.ts does them.
import type { WebSocketClusterStatus, WebSocketRebalanceStatus } from "@wscluster/crds";
import type { ModeRequest } from "@wscluster/protocol";
import type { JsonPatchOperation, Manifest } from "../kube/index.ts";
import type { PlannedGrant } from "../moves/planner.ts";
import type { BalanceNext } from "./decide/balance/balance.ts";
import type { EventReason } from "./reasons.ts";

export type Action =
  /** Server-side apply of a full intent; nothing is sent when it is already there. */
  | { readonly kind: "apply"; readonly manifest: Manifest }
  /** Created once with fresh random keys, never overwritten. */
  | { readonly kind: "createKeys"; readonly name: string }
  | {
      readonly kind: "patchPod";
      readonly pod: string;
      readonly why: string;
      readonly operations: readonly JsonPatchOperation[];
    }
  | {
      readonly kind: "delete";
      readonly resource: "pods" | "replicaSets" | "podDisruptionBudgets" | "configMaps" | "webSocketRebalances";
      readonly name: string;
      readonly uid: string;
      readonly resourceVersion?: string;
    }
  | { readonly kind: "rebalanceStatus"; readonly name: string; readonly status: WebSocketRebalanceStatus }
  /** A request of a user becomes a child of its cluster, so that it goes with it. */
  | { readonly kind: "adoptRebalance"; readonly name: string }
  | { readonly kind: "mode"; readonly pod: string; readonly request: ModeRequest }
  | { readonly kind: "grants"; readonly grants: readonly PlannedGrant[] };

export type EventValue = {
  readonly reason: EventReason;
  readonly message: string;
};

export type Plan = {
  readonly actions: readonly Action[];
  readonly status: WebSocketClusterStatus;
  /** Told after the actions succeeded. */
  readonly events: readonly EventValue[];
  readonly requeueAfterMs?: number;
  /** How often pods are to be asked for their state. */
  readonly poll: "moving" | "rest";
  /** Every number that the decision used, for `plan` and for logs. */
  readonly notes: readonly string[];
  /** Pressure of those that take connections in now; empty while nothing moves. */
  readonly pressures: readonly number[];
  /** Pods that somebody is ending, with what is still on them; and whether the store is away meanwhile. */
  readonly endings: {
    readonly isFrozen: boolean;
    readonly pods: readonly { readonly uid: string; readonly connections: number }[];
  };
  /** What has to be remembered of the rebalances. */
  readonly balance: BalanceNext;
  /** What is measured to know whether the rollout gets on: lower is better. Undefined = nothing is expected to move. */
  readonly progress: { readonly of: string; readonly left: number; readonly held: boolean } | undefined;
};
