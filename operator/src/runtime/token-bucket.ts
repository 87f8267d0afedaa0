// Token bucket as plain data: take the state and the time, get the new state and the answer. No clock here.

export type TokenBucketSpec = {
  /** Tokens that come back each second, > 0. */
  ratePerSecond: number;
  /** Most tokens that can lie in the bucket, >= 1. */
  burst: number;
};

export type TokenBucket = { readonly tokens: number; readonly updatedAtMs: number };

export function fullBucket(spec: TokenBucketSpec, nowMs: number): TokenBucket {
  return { tokens: spec.burst, updatedAtMs: nowMs };
}

export function emptyBucket(nowMs: number): TokenBucket {
  return { tokens: 0, updatedAtMs: nowMs };
}

/** The bucket as it is at `nowMs`. Time that goes backwards adds nothing and takes nothing. */
export function refillBucket(bucket: TokenBucket, spec: TokenBucketSpec, nowMs: number): TokenBucket {
  const elapsedMs = Math.max(0, nowMs - bucket.updatedAtMs);
  const tokens = Math.min(spec.burst, bucket.tokens + (elapsedMs * spec.ratePerSecond) / 1000);
  return { tokens, updatedAtMs: Math.max(nowMs, bucket.updatedAtMs) };
}

export type Taken = { readonly bucket: TokenBucket; readonly taken: number; readonly retryAfterMs: number };

/**
 * Takes exactly `count` (<= burst) or nothing.
 * `retryAfterMs` is 0 when taken, else the time until there will be enough (Infinity when `count` exceeds the burst).
 */
export function takeTokens(bucket: TokenBucket, spec: TokenBucketSpec, nowMs: number, count: number): Taken {
  const now = refillBucket(bucket, spec, nowMs);
  if (now.tokens >= count) {
    return { bucket: { ...now, tokens: now.tokens - count }, taken: count, retryAfterMs: 0 };
  }
  const retryAfterMs = count > spec.burst ? Infinity : Math.ceil(((count - now.tokens) * 1000) / spec.ratePerSecond);
  return { bucket: now, taken: 0, retryAfterMs };
}

/** Takes as many whole tokens as there are, at most `count`. */
export function takeUpTo(bucket: TokenBucket, spec: TokenBucketSpec, nowMs: number, count: number): Taken {
  const now = refillBucket(bucket, spec, nowMs);
  const taken = Math.max(0, Math.min(Math.floor(now.tokens), Math.floor(count)));
  const bucketAfter = { ...now, tokens: now.tokens - taken };
  const retryAfterMs = taken > 0 || count < 1 ? 0 : Math.ceil(((1 - now.tokens) * 1000) / spec.ratePerSecond);
  return { bucket: bucketAfter, taken, retryAfterMs };
}
