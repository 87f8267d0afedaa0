// The budget of moves as data: the buckets and the grants that were sent lately. Pure; time comes in.
import { GRANT_WINDOW_MS, type PaceLimits, type SentGrant } from "../moves/limits.ts";
import { emptyBucket, refillBucket, type TokenBucket, type TokenBucketSpec } from "../runtime/index.ts";

export type MoveLedger = {
  readonly bucket: TokenBucket;
  /** For moves with somebody else's deadline. Every move is debited from both: the sum stays within the larger one. */
  readonly emergency: TokenBucket;
  readonly grants: readonly SentGrant[];
};

/** Whole tokens that a planner may spend now. */
export type Tokens = { readonly tokens: number; readonly emergencyTokens: number };

/**
 * A new leader does not know what its predecessor granted last: its buckets stay empty for one longest window, and only
 * then begin to fill.
 */
export function newLedger(nowMs: number): MoveLedger {
  const empty = emptyBucket(nowMs + GRANT_WINDOW_MS);
  return { bucket: empty, emergency: empty, grants: [] };
}

export function bucketSpecFor(maxPerSecond: number): TokenBucketSpec {
  return { ratePerSecond: maxPerSecond, burst: Math.max(1, (maxPerSecond * GRANT_WINDOW_MS) / 1000) };
}

export function tokensAt(ledger: MoveLedger, limits: PaceLimits, nowMs: number): Tokens {
  const { bucket, emergency } = refilled(ledger, limits, nowMs);
  return {
    tokens: Math.max(0, Math.floor(Math.min(bucket.tokens, emergency.tokens))),
    emergencyTokens: Math.max(0, Math.floor(emergency.tokens)),
  };
}

/** Debits a grant at the moment of sending. There is no refund: an unanswered grant may have taken effect. */
export function debit(ledger: MoveLedger, grant: SentGrant, limits: PaceLimits): MoveLedger {
  const { bucket, emergency } = refilled(ledger, limits, grant.sentAtMs);
  const count = grant.targets.reduce((sum, target) => sum + target.count, 0);
  const recent = ledger.grants.filter((old) => grant.sentAtMs - old.sentAtMs < 2 * GRANT_WINDOW_MS);
  return {
    // What an emergency took beyond it is not owed: the others wait only until there is something again.
    bucket: { ...bucket, tokens: Math.max(0, bucket.tokens - count) },
    emergency: { ...emergency, tokens: emergency.tokens - count },
    grants: [...recent, grant],
  };
}

function refilled(ledger: MoveLedger, limits: PaceLimits, nowMs: number) {
  return {
    bucket: refillBucket(ledger.bucket, bucketSpecFor(limits.maxPerSecond), nowMs),
    emergency: refillBucket(ledger.emergency, bucketSpecFor(limits.emergencyMaxPerSecond), nowMs),
  };
}
