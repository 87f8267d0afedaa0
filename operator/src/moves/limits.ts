// Numbers of every grant. Not here: the budget (cluster/ledger.ts) and who gets a grant (planner.ts).

/** Grants lapse after this; the planner runs once per window. */
export const GRANT_WINDOW_MS = 1_000;
/** What each client gets from its `migrate` on. */
export const MOVE_DEADLINE_MS = 10_000;
export const DEFAULT_MAX_PER_SECOND = 200;
/** Where somebody else's deadline binds, unless the user says otherwise: times the ordinary pace. */
export const EMERGENCY_FACTOR = 5;

/** Connections per second over the whole fleet. */
export type PaceLimits = { readonly maxPerSecond: number; readonly emergencyMaxPerSecond: number };

export function paceLimitsOf(
  moves:
    | { readonly maxPerSecond?: number | undefined; readonly emergencyMaxPerSecond?: number | undefined }
    | undefined,
): PaceLimits {
  const maxPerSecond = moves?.maxPerSecond ?? DEFAULT_MAX_PER_SECOND;
  const emergencyMaxPerSecond = moves?.emergencyMaxPerSecond ?? maxPerSecond * EMERGENCY_FACTOR;
  return { maxPerSecond, emergencyMaxPerSecond: Math.max(maxPerSecond, emergencyMaxPerSecond) };
}

export type SentGrant = {
  readonly source: string;
  readonly sentAtMs: number;
  readonly targets: readonly { readonly pod: string; readonly count: number }[];
};
