// Codes of the `err` frame. Not here: close codes (close-codes.ts).

export type WireErrorCode = { readonly retry: boolean; readonly meaning: string };

export const WIRE_ERRORS = {
  "bad-frame": { retry: false, meaning: "The frame is not valid JSON or misses a field." },
  "unknown-type": { retry: false, meaning: "The frame type is not known to this server." },
  "not-ready": {
    retry: true,
    meaning: "The socket is preparing a move and takes no writes yet; write on the old socket.",
  },
  fenced: { retry: true, meaning: "The session, or the producer, lives on with a higher generation elsewhere." },
  "out-of-order": { retry: true, meaning: "An earlier message of this producer is missing; resend from `last` + 1." },
  unavailable: {
    retry: true,
    meaning: "The store, or the service behind a route, did not answer in time; nothing is known to be done.",
  },
  forbidden: { retry: false, meaning: "The permissions of this identity do not allow it." },
  "too-many-subscriptions": { retry: false, meaning: "The session holds the most channels it may." },
  "no-route": { retry: false, meaning: "No route has this name." },
  "route-failed": { retry: false, meaning: "The route refused the call, or failed on it." },
  "outcome-unknown": {
    retry: false,
    meaning: "The route was called and did not answer; it may have done what it was asked for.",
  },
  refused: { retry: false, meaning: "The application refused it." },
  "bad-channel": { retry: false, meaning: "The channel name is empty, too long or reserved." },
  "too-large": { retry: false, meaning: "The payload is larger than the limit." },
  "rate-limited": { retry: true, meaning: "Too many requests; try again after `afterMs`." },
  "commit-refused": { retry: true, meaning: "The move was not waiting any more; stay on the old socket." },
} as const satisfies Record<string, WireErrorCode>;

export type WireErrorName = keyof typeof WIRE_ERRORS;

// The SDK needs only this of the table; a test holds both to each other.
const RETRYABLE: ReadonlySet<string> = new Set([
  "not-ready",
  "fenced",
  "out-of-order",
  "unavailable",
  "rate-limited",
  "commit-refused",
]);

/** True if the same request may succeed later. A code that is not known here, from a newer server, may not. */
export function isRetryable(code: string): boolean {
  return RETRYABLE.has(code);
}
