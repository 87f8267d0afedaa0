// Numbers of every grant. Not here: the budget (cluster/ledger.ts) and who gets a grant (planner.ts).

/** Grants lapse after this; the planner runs once per window. */
export const GRANT_WINDOW_MS = 1_000;
/** What each client gets from its `migrate` on. */
export const MOVE_DEADLINE_MS = 10_000;
export const DEFAULT_MAX_PER_SECOND = 200;

export type SentGrant = {
  readonly source: string;
  readonly sentAtMs: number;
  readonly targets: readonly { readonly pod: string; readonly count: number }[];
};
