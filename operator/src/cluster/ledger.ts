// The budget of moves as data: the bucket and the grants that were sent lately. Pure; time comes in.
import { GRANT_WINDOW_MS, type SentGrant } from "../moves/limits.ts";
import { emptyBucket, refillBucket, type TokenBucket, type TokenBucketSpec } from "../runtime/index.ts";

export type MoveLedger = {
  readonly bucket: TokenBucket;
  readonly grants: readonly SentGrant[];
};

/**
 * A new leader does not know what its predecessor granted last: its bucket stays empty for one longest window, and only
 * then begins to fill.
 */
export function newLedger(nowMs: number): MoveLedger {
  return { bucket: emptyBucket(nowMs + GRANT_WINDOW_MS), grants: [] };
}

export function bucketSpecFor(maxPerSecond: number): TokenBucketSpec {
  return { ratePerSecond: maxPerSecond, burst: Math.max(1, (maxPerSecond * GRANT_WINDOW_MS) / 1000) };
}

/** Whole tokens that a planner may spend now. */
export function tokensAt(ledger: MoveLedger, maxPerSecond: number, nowMs: number): number {
  return Math.floor(refillBucket(ledger.bucket, bucketSpecFor(maxPerSecond), nowMs).tokens);
}

/** Debits a grant at the moment of sending. There is no refund: an unanswered grant may have taken effect. */
export function debit(ledger: MoveLedger, grant: SentGrant, maxPerSecond: number): MoveLedger {
  const now = refillBucket(ledger.bucket, bucketSpecFor(maxPerSecond), grant.sentAtMs);
  const count = grant.targets.reduce((sum, target) => sum + target.count, 0);
  const recent = ledger.grants.filter((old) => grant.sentAtMs - old.sentAtMs < 2 * GRANT_WINDOW_MS);
  return { bucket: { ...now, tokens: now.tokens - count }, grants: [...recent, grant] };
}
