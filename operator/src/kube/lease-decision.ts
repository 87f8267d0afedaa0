// Who may lead: pure. Time is our own monotonic time since WE last saw the lease change; the holder's clock is never
// compared with ours, so skewed clocks cannot make two leaders.

export type LeaseTerms = {
  /** Others may take the lease when they saw no change for this long. */
  leaseDurationMs: number;
  /** The holder stops acting when its last success began this long ago. Must be shorter than the duration. */
  renewDeadlineMs: number;
  /** Time between attempts. */
  retryPeriodMs: number;
};

export const defaultLeaseTerms: LeaseTerms = { leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryPeriodMs: 2000 };

export type LeaseSpec = {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
};

/** What we have seen of the lease, and since when it looks like this to us. */
export type LeaseObservation = { mark: string; sinceMs: number };

export type LeaseAction =
  | { kind: "create" }
  /** Nobody's, released or run out: take it by a write that is refused if someone was faster. */
  | { kind: "acquire" }
  | { kind: "renew" }
  | { kind: "wait"; holder: string; forMs: number };

/** A new observation when the lease changed in any way, else the old one with its time. */
export function observeLease(
  previous: LeaseObservation | undefined,
  resourceVersion: string,
  nowMs: number,
): LeaseObservation {
  return previous?.mark === resourceVersion ? previous : { mark: resourceVersion, sinceMs: nowMs };
}

/** @param nowMs monotonic, same clock as the observation's */
export function evaluateLease(
  spec: LeaseSpec | undefined,
  me: string,
  observed: LeaseObservation | undefined,
  nowMs: number,
  terms: LeaseTerms = defaultLeaseTerms,
): LeaseAction {
  if (spec === undefined) return { kind: "create" };
  const holder = spec.holderIdentity ?? "";
  if (holder === "") return { kind: "acquire" };
  if (holder === me) return { kind: "renew" };
  // The holder's own promise counts, if it is longer than ours: it may run with other settings.
  const promisedMs = Math.max((spec.leaseDurationSeconds ?? 0) * 1000, terms.leaseDurationMs);
  const unchangedMs = observed === undefined ? 0 : nowMs - observed.sinceMs;
  return unchangedMs >= promisedMs ? { kind: "acquire" } : { kind: "wait", holder, forMs: promisedMs - unchangedMs };
}

/** The spec to write for create, acquire and renew. */
export function leaseSpecFor(
  previous: LeaseSpec | undefined,
  me: string,
  wallNowMs: number,
  terms: LeaseTerms = defaultLeaseTerms,
): LeaseSpec {
  const now = formatMicroTime(wallNowMs);
  const isMine = previous?.holderIdentity === me;
  return {
    holderIdentity: me,
    leaseDurationSeconds: Math.ceil(terms.leaseDurationMs / 1000),
    acquireTime: isMine ? (previous?.acquireTime ?? now) : now,
    renewTime: now,
    leaseTransitions: isMine
      ? (previous?.leaseTransitions ?? 0)
      : previous === undefined
        ? 0
        : (previous.leaseTransitions ?? 0) + 1,
  };
}

/** Whether a holder may still act. `renewedAtMs` is when its last successful request was SENT. */
export function mayLead(renewedAtMs: number, nowMs: number, terms: LeaseTerms = defaultLeaseTerms): boolean {
  return nowMs - renewedAtMs < terms.renewDeadlineMs;
}

/** V1MicroTime: RFC 3339 with six digits. The server refuses three where it wants six. */
export function formatMicroTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace("Z", "000Z");
}
