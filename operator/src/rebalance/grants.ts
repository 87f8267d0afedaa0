// The next window of a running rebalance as grants: one partition of each source at a time, within the tokens. Pure.
// Not here: sending, the fleet's bucket (moves/).
import type { IntentId } from "@wscluster/protocol";
import { GRANT_WINDOW_MS, MOVE_DEADLINE_MS } from "../moves/limits.ts";

import { shareOut, type PlannedGrant } from "../moves/planner.ts";
import { openCountOf, type Proposal, type ProposedMove } from "./proposal.ts";

/** A higher seq replaces the unused rest of the grant before: so a source gets one grant a window, for one partition. */
export function sliceGrantsFor(
  proposal: Proposal,
  intent: IntentId,
  tokens: number,
  pods: ReadonlySet<string>,
): readonly PlannedGrant[] {
  if (proposal.state !== "Running") return [];
  const open = proposal.moves.filter((move) => openCountOf(move, pods) > 0);
  const bySource = Map.groupBy(open, (move) => move.from);
  const groups = [...bySource]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([source, moves]) => ({ source, moves: moves.filter((move) => move.partition === moves[0]?.partition) }));
  const wants = groups.map(({ moves }) => moves.reduce((sum, move) => sum + openCountOf(move, pods), 0));
  const shares = shareOut(Math.max(0, Math.floor(tokens)), wants);
  return groups.flatMap(({ source, moves }, index): PlannedGrant[] => {
    let left = shares[index] ?? 0;
    if (left === 0) return [];
    const targets = moves.flatMap((move) => {
      const count = Math.min(left, openCountOf(move, pods));
      left -= count;
      return count > 0 ? [{ pod: move.to, count }] : [];
    });
    const partition = moves[0]?.partition;
    return [
      {
        source,
        intent,
        count: targets.reduce((sum, target) => sum + target.count, 0),
        windowMs: GRANT_WINDOW_MS,
        deadlineMs: MOVE_DEADLINE_MS,
        targets,
        ...(partition === undefined ? {} : { partition }),
      },
    ];
  });
}

/** Debits what was sent, answered or not: an unanswered grant may have taken effect. */
export function proposalAfterGrants(proposal: Proposal, grants: readonly PlannedGrant[]): Proposal {
  const sent = new Map<string, number>();
  for (const grant of grants) {
    for (const { pod, count } of grant.targets) {
      const key = moveKey(grant.source, pod, grant.partition);
      sent.set(key, (sent.get(key) ?? 0) + count);
    }
  }
  const moves = proposal.moves.map((move): ProposedMove => {
    const count = sent.get(moveKey(move.from, move.to, move.partition)) ?? 0;
    return count === 0 ? move : { ...move, granted: Math.min(move.count, move.granted + count) };
  });
  return { ...proposal, moves };
}

function moveKey(from: string, to: string, partition: number | undefined): string {
  return `${from}\0${to}\0${partition ?? ""}`;
}
