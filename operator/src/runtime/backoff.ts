// How long to wait before the next attempt. Pure: the random number is an argument.

export type BackoffPolicy = {
  /** Delay of the first retry before jitter. */
  baseMs: number;
  /** No delay is ever longer. */
  capMs: number;
};

/**
 * Doubling delay, half fixed and half random: many clients that failed together do not come back together,
 * and none comes back at once (full jitter may give 0, which is a hot loop).
 *
 * @param attempt failures so far, >= 1
 * @param random in [0, 1)
 * @returns milliseconds in [d/2, d] with d = min(capMs, baseMs * 2^(attempt-1))
 */
export function backoffMs(attempt: number, policy: BackoffPolicy, random: number): number {
  // 2^30 keeps the product finite for any attempt number.
  const doublings = Math.min(30, Math.max(0, attempt - 1));
  const delayMs = Math.min(policy.capMs, policy.baseMs * 2 ** doublings);
  return delayMs / 2 + (delayMs / 2) * random;
}
