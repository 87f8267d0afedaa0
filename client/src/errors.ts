// The SDK's errors: one class, one table of stable codes. Not here: codes on the wire (protocol) and close codes.

export const CLIENT_ERRORS = {
  closed: "The client was closed, by the application or by an AbortSignal.",
  "given-up": "The client will not connect again by itself: the server refused it or the give-up policy fired.",
  "already-subscribed": "The channel already has a subscription on this client.",
  "bad-payload": "The data cannot be written as JSON.",
  "too-large": "The payload is larger than the server's limit.",
  "queue-full": "The queue of unsent messages is full.",
  "queue-dropped": "The message was dropped from the full queue to make room for a newer one.",
  refused: "The server refused the request; `wireCode` says why.",
  timeout: "No answer came in time, also after asking again.",
  "outcome-unknown": "A route was called and nobody knows whether it did what it was asked for.",
  unsupported: "This platform has no WebSocket and none was given.",
} as const;

export type ClientErrorCode = keyof typeof CLIENT_ERRORS;

/** Any failure that the SDK reports. Switch on `code`, never on the message. */
export class ClientError extends Error {
  readonly code: ClientErrorCode;
  /** Code of the server's `err` frame, for `refused`. */
  readonly wireCode?: string;
  constructor(code: ClientErrorCode, message: string, options: { wireCode?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "ClientError";
    this.code = code;
    if (options.wireCode !== undefined) this.wireCode = options.wireCode;
  }
}

/** True for an error of this SDK, optionally with this code. */
export function isClientError(value: unknown, code?: ClientErrorCode): value is ClientError {
  return value instanceof ClientError && (code === undefined || value.code === code);
}
