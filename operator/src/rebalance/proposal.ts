// Life of one rebalance, for the resource that people approve or stop. Pure: last state and facts in, next state out.
//
//   Proposed --approved--> Running --all settled, or no progress--> Completed
//      |  \--nothing left to do--> Completed      |
//      |--expired--> Expired                      |
//      \--stopped--> Stopped <------stopped-------/
import type { Receipts } from "@wscluster/protocol";
import type { PlannedMove, RebalancePlan } from "./planner.ts";

export const PROPOSAL_TRANSITIONS = {
  Proposed: ["Running", "Completed", "Stopped", "Expired"],
  Running: ["Completed", "Stopped"],
  Completed: [],
  Stopped: [],
  Expired: [],
} as const satisfies Record<string, readonly string[]>;
export type ProposalState = keyof typeof PROPOSAL_TRANSITIONS;

export type ProposalReason =
  | "AwaitingApproval"
  | "LoadUnknown"
  | "Held"
  | "CostRose"
  | "Approved"
  | "AllMoved"
  | "Partly"
  | "NothingToDo"
  | "StoppedByUser"
  | "NotApprovedInTime";

export type ProposedMove = PlannedMove & {
  /** Connections for which a grant was sent. Absolute; never taken back. */
  readonly granted: number;
};

export type Proposal = {
  readonly state: ProposalState;
  readonly reason: ProposalReason;
  readonly message: string;
  /** Wall clock. */
  readonly createdAtMs: number;
  /** Of the last transition. */
  readonly sinceMs: number;
  /** Last time that the settled count rose. */
  readonly progressAtMs: number;
  readonly settled: number;
  readonly moves: readonly ProposedMove[];
  readonly beforePercent: number;
  readonly predictedPercent: number;
};

export type ProposalFacts = {
  /** Wall clock. */
  readonly nowMs: number;
  readonly approved: boolean;
  readonly stopped: boolean;
  readonly expiresAfterMs: number;
  /** A plan made from what is known now; undefined = too little is known. Read while Proposed only. */
  readonly plan: RebalancePlan | undefined;
  /** Keys of pods that are there and stay. */
  readonly pods: ReadonlySet<string>;
  /** Of the proposal's intent; undefined = not known. */
  readonly receipts: Receipts | undefined;
};

/** A plan that is made anew at the approval may cost this much more than what was approved. */
const APPROVED_SLACK = 1.1;
/** Without progress for this long a running rebalance is over; what was not moved stays where it is. */
const PROGRESS_DEADLINE_MS = 120_000;
/** After the last grant: its window, what each client gets, and the store's account of it. Who was not asked by then has left. */
const SETTLE_MS = 20_000;

export function proposalFor(plan: RebalancePlan, nowMs: number): Proposal {
  const nothing = plan.moves.length === 0;
  return {
    state: nothing ? "Completed" : "Proposed",
    // Nothing to balance is a good end, not a failure.
    reason: nothing ? "NothingToDo" : "AwaitingApproval",
    message: nothing ? "all pods are inside the band" : costOf(plan),
    createdAtMs: nowMs,
    sinceMs: nowMs,
    progressAtMs: nowMs,
    settled: 0,
    moves: plan.moves.map((move) => ({ ...move, granted: 0 })),
    beforePercent: plan.beforePercent,
    predictedPercent: plan.predictedPercent,
  };
}

export function nextProposal(before: Proposal, facts: ProposalFacts): Proposal {
  switch (before.state) {
    case "Proposed":
      return nextProposed(before, facts);
    case "Running":
      return nextRunning(before, facts);
    case "Completed":
    case "Stopped":
    case "Expired":
      return before;
  }
}

function nextProposed(before: Proposal, { nowMs, approved, stopped, expiresAfterMs, plan }: ProposalFacts): Proposal {
  const to = (state: ProposalState, reason: ProposalReason, message: string): Proposal => ({
    ...before,
    state,
    reason,
    message,
    sinceMs: nowMs,
    progressAtMs: nowMs,
  });
  // Stop beats approve, and a late approval does not wake an expired proposal.
  if (stopped) return to("Stopped", "StoppedByUser", "stopped before it began");
  if (nowMs - before.createdAtMs >= expiresAfterMs) {
    return to("Expired", "NotApprovedInTime", `not approved within ${Math.round(expiresAfterMs / 1_000)} s`);
  }
  if (!approved) return before.reason === "AwaitingApproval" ? before : { ...before, reason: "AwaitingApproval" };
  // What was proposed may describe a cluster that is gone: the plan of this moment runs, if it costs what was approved.
  if (plan === undefined)
    return { ...before, reason: "LoadUnknown", message: "approved; waits until the load is known" };
  if (plan.moves.length === 0) return to("Completed", "NothingToDo", "the pods are inside the band by now");
  const approvedMoves = before.moves.reduce((sum, move) => sum + move.count, 0);
  if (plan.moved > Math.ceil(approvedMoves * APPROVED_SLACK)) {
    return {
      ...before,
      reason: "CostRose",
      message: `approved for ${approvedMoves} connections; by now: ${costOf(plan)}`,
    };
  }
  return { ...proposalFor(plan, nowMs), state: "Running", reason: "Approved", createdAtMs: before.createdAtMs };
}

function nextRunning(before: Proposal, { nowMs, stopped, pods, receipts }: ProposalFacts): Proposal {
  const end = (state: "Completed" | "Stopped", reason: ProposalReason, message: string): Proposal => ({
    ...before,
    state,
    reason,
    message,
    sinceMs: nowMs,
  });
  const granted = before.moves.reduce((sum, move) => sum + move.granted, 0);
  const moved = receipts?.moved ?? 0;
  // Grants that are out lapse by themselves within one window.
  if (stopped) return end("Stopped", "StoppedByUser", `stopped with ${moved} of ${countOf(before)} moved`);
  const open = before.moves.reduce((sum, move) => sum + openCountOf(move, pods), 0);
  const settled = receipts === undefined ? before.settled : Math.max(before.settled, settledOf(receipts));
  if (open === 0 && receipts !== undefined && settled >= granted) {
    const all = moved + receipts.resumed >= countOf(before);
    return end("Completed", all ? "AllMoved" : "Partly", `${moved} of ${countOf(before)} moved`);
  }
  // Granted is the most that may be asked: a client that went away meanwhile is not asked, and nothing waits for it.
  const isAllDecided = receipts !== undefined && settledOf(receipts) >= receipts.offered;
  if (open === 0 && isAllDecided && nowMs - before.progressAtMs >= SETTLE_MS && settled <= before.settled) {
    return end("Completed", "Partly", `${moved} of ${countOf(before)} moved; the others were gone by then`);
  }
  if (nowMs - before.progressAtMs >= PROGRESS_DEADLINE_MS && settled <= before.settled) {
    return end(
      "Completed",
      "Partly",
      `no progress for ${PROGRESS_DEADLINE_MS / 1_000} s; ${moved} of ${countOf(before)} moved`,
    );
  }
  return settled > before.settled ? { ...before, settled, progressAtMs: nowMs } : before;
}

/** Connections of a move that may still be granted: none from or to a pod that is gone or goes. */
export function openCountOf(move: ProposedMove, pods: ReadonlySet<string>): number {
  return pods.has(move.from) && pods.has(move.to) ? Math.max(0, move.count - move.granted) : 0;
}

function settledOf({ moved, resumed, refused, late, cut }: Receipts): number {
  return moved + resumed + refused + late + cut;
}

function countOf(proposal: Proposal): number {
  return proposal.moves.reduce((sum, move) => sum + move.count, 0);
}

function costOf(plan: RebalancePlan): string {
  return (
    `${plan.moved} connections in ${plan.moves.length} moves; ` +
    `imbalance from ${Math.round(plan.beforePercent)} % to ${Math.round(plan.predictedPercent)} %`
  );
}
