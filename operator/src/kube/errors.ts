// The one error class of the Kubernetes border, its table of codes, and predicates. No request logic here.

/** `retry`: the same request may succeed later without anyone changing anything. */
const codes = {
  NotFound: { retry: false },
  AlreadyExists: { retry: false },
  Conflict: { retry: true },
  Gone: { retry: false },
  Invalid: { retry: false },
  BadRequest: { retry: false },
  Unauthorized: { retry: true },
  Forbidden: { retry: false },
  TooManyRequests: { retry: true },
  /** The server answered 5xx. A write may have happened. */
  ServerError: { retry: true },
  /** No answer in time. A write may have happened. */
  Timeout: { retry: true },
  /** No connection, or it broke. A write may have happened. */
  Unreachable: { retry: true },
  /** The answer is not what the API promises (not JSON, cut off). */
  BadResponse: { retry: true },
  /** The caller's signal aborted the request. */
  Aborted: { retry: false },
  /** The kubeconfig or the in-cluster files cannot be used. */
  BadConfig: { retry: false },
} as const satisfies Record<string, { retry: boolean }>;

export type KubeErrorCode = keyof typeof codes;

export type KubeErrorDetails = {
  /** HTTP status, when there was an answer. */
  status?: number;
  /** `reason` of the API server's Status object. */
  reason?: string;
  /** What the server asked us to wait. */
  retryAfterMs?: number;
  /** An answer, not a failure of the exchange: the client must not repeat the request by itself. */
  isFinal?: boolean;
  cause?: unknown;
};

// Survives two copies of this module in one process, where instanceof does not.
const brand = Symbol.for("wscluster.io/KubeError");

export class KubeError extends Error {
  override readonly name = "KubeError";
  readonly code: KubeErrorCode;
  readonly status: number | undefined;
  readonly reason: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly isFinal: boolean;
  readonly [brand] = true;

  constructor(code: KubeErrorCode, message: string, details: KubeErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.status = details.status;
    this.reason = details.reason;
    this.retryAfterMs = details.retryAfterMs;
    this.isFinal = details.isFinal ?? false;
  }

  /** Whether the same request may succeed later. */
  get isRetryable(): boolean {
    return codes[this.code].retry;
  }
}

export function isKubeError(error: unknown, ...anyOf: KubeErrorCode[]): error is KubeError {
  if (typeof error !== "object" || error === null || !(brand in error)) return false;
  return anyOf.length === 0 || anyOf.includes((error as KubeError).code);
}

export const isNotFound = (error: unknown): boolean => isKubeError(error, "NotFound");
export const isConflict = (error: unknown): boolean => isKubeError(error, "Conflict");
export const isAlreadyExists = (error: unknown): boolean => isKubeError(error, "AlreadyExists");
export const isGone = (error: unknown): boolean => isKubeError(error, "Gone");
export const isTooManyRequests = (error: unknown): boolean => isKubeError(error, "TooManyRequests");
/** A write of which nobody knows whether it happened. */
export const isOutcomeUnknown = (error: unknown): boolean =>
  isKubeError(error, "Timeout", "Unreachable", "ServerError", "BadResponse", "Aborted");

/** Code for an HTTP status and the `reason` of a Status body; the reason is the finer of the two. */
export function codeFor(status: number, reason: string | undefined): KubeErrorCode {
  if (reason === "AlreadyExists") return "AlreadyExists";
  if (reason === "Expired" || reason === "Gone" || status === 410) return "Gone";
  if (status === 404) return "NotFound";
  if (status === 409) return "Conflict";
  if (status === 422) return "Invalid";
  if (status === 401) return "Unauthorized";
  if (status === 403) return "Forbidden";
  if (status === 429) return "TooManyRequests";
  if (status === 408 || reason === "Timeout" || status === 504) return "Timeout";
  if (status >= 500) return "ServerError";
  return status >= 400 ? "BadRequest" : "BadResponse";
}
