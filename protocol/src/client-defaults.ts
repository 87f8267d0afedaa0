// The defaults that an SDK needs too: a file of their own, so that a page does not carry those of servers. Not here: limits.ts.

/** Milliseconds, bytes, counts. */
export const CLIENT_DEFAULTS = {
  /** Server ping when nothing else went out; two unanswered ones close with 4104. */
  heartbeatMs: 20_000,
  /** Largest client frame. */
  maxPayloadBytes: 64 * 1024,
  /** Messages a catch-up page carries. */
  pageSize: 100,
  /** How long an unanswered request waits before the SDK asks again. */
  requestTimeoutMs: 10_000,
  /** How long publishers keep acknowledged messages, to publish them again after `diverged`. */
  republishKeepMs: 30_000,
} as const;
