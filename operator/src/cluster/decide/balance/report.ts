// Between a proposal and the status of its WebSocketRebalance, both ways. Pure. A status that was wiped is made anew: the load of
// that moment is planned again, which is what was approved in a newer form.
import type { Condition, WebSocketRebalanceStatus } from "@wscluster/crds";
import type { Receipts } from "@wscluster/protocol";
import { PROPOSAL_TRANSITIONS, type Proposal, type ProposalState } from "../../../rebalance/index.ts";
import { timestampOf } from "../children/replica-set.ts";

const STATES: readonly ProposalState[] = ["Proposed", "Running", "Completed", "Stopped", "Expired"];
/** What a status bears; the rest of a larger plan is not carried over to a new leader and comes again with the next plan. */
const MOST_MOVES = 512;

export type ReportParts = {
  readonly proposal: Proposal;
  readonly generation: number;
  /** Pod names by KEY. */
  readonly names: ReadonlyMap<string, string>;
  readonly receipts: Receipts | undefined;
  readonly perSecond: number;
  readonly afterPercent: number | undefined;
};

export function rebalanceStatusFor(parts: ReportParts): WebSocketRebalanceStatus {
  const { proposal, generation, names, receipts, perSecond, afterPercent } = parts;
  const reconnects = proposal.moves.reduce((sum, move) => sum + move.count, 0);
  const nameOf = (key: string): string => names.get(key) ?? key;
  const hasBegun = proposal.state !== "Proposed" && proposal.state !== "Expired";
  return {
    observedGeneration: generation,
    phase: proposal.state,
    conditions: STATES.map((type): Condition => conditionFor(type, proposal, generation)),
    proposedAt: timestampOf(proposal.createdAtMs),
    since: timestampOf(proposal.sinceMs),
    progressAt: timestampOf(proposal.progressAtMs),
    before: { imbalancePercent: Math.round(proposal.beforePercent) },
    predicted: { imbalancePercent: Math.round(proposal.predictedPercent) },
    ...(afterPercent === undefined ? {} : { after: { imbalancePercent: Math.round(afterPercent) } }),
    moves: proposal.moves.slice(0, MOST_MOVES).map(({ from, to, partition, count, granted, why }) => ({
      from: nameOf(from),
      to: nameOf(to),
      fromKey: from,
      toKey: to,
      ...(partition === undefined ? {} : { partition }),
      count,
      granted,
      why: namedIn(why, names).slice(0, 512),
    })),
    reconnects,
    estimatedSeconds: Math.ceil(reconnects / Math.max(1, perSecond)),
    settled: proposal.settled,
    ...(receipts === undefined || !hasBegun ? {} : { receipts: { ...receipts } }),
  };
}

function conditionFor(type: ProposalState, proposal: Proposal, generation: number): Condition {
  const isNow = type === proposal.state;
  return {
    type,
    status: isNow ? "True" : "False",
    reason: isNow ? proposal.reason : (`Is${proposal.state}` as const),
    message: isNow ? proposal.message : "",
    lastTransitionTime: timestampOf(proposal.sinceMs),
    observedGeneration: generation,
  };
}

/** KEYs mean nothing to people. */
export function namedIn(text: string, names: ReadonlyMap<string, string>): string {
  let named = text;
  for (const [key, name] of names) named = named.replaceAll(key, name);
  return named;
}

/** What a former leader wrote; undefined where nothing can be made of it. */
export function proposalOf(status: WebSocketRebalanceStatus | undefined): Proposal | undefined {
  const { phase, proposedAt, since, progressAt, before, predicted, moves, conditions } = status ?? {};
  const condition = conditions?.find((one) => one.type === phase);
  const [createdAtMs, sinceMs, progressAtMs] = [proposedAt, since, progressAt].map((time) => Date.parse(time ?? ""));
  if (phase === undefined || condition === undefined || !Object.hasOwn(PROPOSAL_TRANSITIONS, phase)) return undefined;
  if (createdAtMs === undefined || sinceMs === undefined || progressAtMs === undefined) return undefined;
  if (![createdAtMs, sinceMs, progressAtMs].every(Number.isFinite) || before === undefined || predicted === undefined)
    return undefined;
  return {
    state: phase,
    reason: reasonOf(condition.reason),
    message: condition.message,
    createdAtMs,
    sinceMs,
    progressAtMs,
    settled: status?.settled ?? 0,
    moves: (moves ?? []).map(({ fromKey, toKey, partition, count, granted, why }) => ({
      from: fromKey,
      to: toKey,
      partition,
      count,
      granted: Math.min(count, granted),
      why,
    })),
    beforePercent: before.imbalancePercent,
    predictedPercent: predicted.imbalancePercent,
  };
}

const REASONS = [
  "AwaitingApproval",
  "LoadUnknown",
  "Held",
  "CostRose",
  "Approved",
  "AllMoved",
  "Partly",
  "NothingToDo",
  "StoppedByUser",
  "NotApprovedInTime",
] as const satisfies readonly Proposal["reason"][];

function reasonOf(text: string): Proposal["reason"] {
  return REASONS.find((reason) => reason === text) ?? "AwaitingApproval";
}

/**
 * A new leader knows of grants only what was written down, some seconds ago. The receipts know all that was asked: what they have
 * more is taken for granted, move by move, so that nobody is asked twice.
 */
export function creditedBy(proposal: Proposal, offered: number): Proposal {
  let missing = offered - proposal.moves.reduce((sum, move) => sum + move.granted, 0);
  if (missing <= 0) return proposal;
  const moves = proposal.moves.map((move) => {
    const more = Math.min(missing, move.count - move.granted);
    missing -= more;
    return more === 0 ? move : { ...move, granted: move.granted + more };
  });
  return { ...proposal, moves };
}
