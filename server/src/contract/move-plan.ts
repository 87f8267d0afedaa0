// Which sessions would be asked to move, in which order and where to, without asking anybody: the same order and the same shares as a
// real grant. Pure. Not here: the real thing (drain/mover.ts).

import { MOST_PLANNED } from "@wscluster/protocol";
import type { MovePlanAnswer, MovePlanRequest } from "@wscluster/protocol";
import { candidateOf, orderCandidates } from "../drain/candidates.ts";
import { targetOrder } from "../drain/pacing.ts";
import type { Connection } from "../session/connection.ts";

export type PlanFacts = {
  readonly podKey: string;
  readonly connections: Iterable<Connection>;
  readonly nowMs: number;
  /** In [0, 1). */
  readonly random: () => number;
};

export function movePlanFor(facts: PlanFacts, request: MovePlanRequest): MovePlanAnswer {
  const all = [...facts.connections];
  const candidates = orderCandidates(
    all.map((connection) => candidateOf(connection)),
    request.select ?? {},
    facts.random,
  );
  const targets = targetOrder(request.targets, candidates.length);
  const moves = candidates.slice(0, MOST_PLANNED).flatMap(({ connection }, at) => {
    const { row, caps, lastActiveMs, subscriptions } = connection;
    if (!row) return [];
    const to = targets[at];
    return [
      {
        session: row.id,
        user: row.user,
        tenant: row.tenant,
        can: caps.has("migrate") ? ("migrate" as const) : caps.has("resume") ? ("resume" as const) : ("plain" as const),
        idleMs: Math.max(0, Math.round(facts.nowMs - lastActiveMs)),
        channels: subscriptions.size,
        ...(to === undefined ? {} : { to }),
      },
    ];
  });
  return { pod: facts.podKey, connections: all.length, moves };
}
