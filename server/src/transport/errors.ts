// Why the client port answers an HTTP request without a WebSocket: statuses are for machines on the way (a browser shows a script none
// of it), the JSON body is for whoever looks with curl. Pure.

import { STATUS_CODES } from "node:http";
import { SUBPROTOCOL } from "@wscluster/protocol";

type UpgradeError = {
  readonly status: number;
  readonly meaning: string;
  /** What to do now. */
  readonly next: string;
  readonly retryAfterSeconds?: number;
  readonly headers?: Readonly<Record<string, string>>;
};

export const UPGRADE_ERRORS = {
  "bad-request": { status: 400, meaning: "The request is no valid HTTP/1.1.", next: "Correct the request." },
  "wrong-subprotocol": {
    status: 400,
    meaning: "None of the subprotocols offered is known here.",
    next: `Offer ${SUBPROTOCOL}, or none at all.`,
  },
  unauthorized: {
    status: 401,
    meaning: "The token in the Authorization header is not valid.",
    next: "Fetch a new token; or leave the header away and send the token in hello.",
    headers: { "WWW-Authenticate": "Bearer" },
  },
  "wrong-origin": {
    status: 403,
    meaning: "Pages of this origin may not connect.",
    next: "Add the origin to WSC_ALLOWED_ORIGINS.",
  },
  "wrong-ticket": {
    status: 403,
    meaning: "The ticket is not valid for the named pod.",
    next: "Connect without pod and ticket, and resume.",
  },
  "wrong-probe": {
    status: 403,
    meaning: "The probe is not signed for this life of this pod, or was used before.",
    next: "Leave the header away: it is the operator's.",
  },
  "no-such-path": { status: 404, meaning: "Nothing is served at this path.", next: "Use the path of WSC_PATH." },
  timeout: { status: 408, meaning: "The request did not come to its end in time.", next: "Send it in one go." },
  "wrong-pod": {
    status: 421,
    meaning: "This is not the pod that was meant.",
    next: "Connect again: the edge learns of a pod's new address within seconds.",
  },
  "upgrade-needed": {
    status: 426,
    meaning: "Only WebSocket of version 13 is spoken here.",
    next: "Connect with a WebSocket client.",
    headers: { Upgrade: "websocket", "Sec-WebSocket-Version": "13" },
  },
  "too-many-connections": {
    status: 429,
    meaning: "This address holds as many connections as it may.",
    next: "Close some, or raise limits.sessionsPerAddress.",
    retryAfterSeconds: 30,
  },
  "headers-too-large": { status: 431, meaning: "The headers are larger than 16 KiB.", next: "Send fewer cookies." },
  full: {
    status: 503,
    meaning: "No connection slot is free.",
    next: "Come back after Retry-After seconds; or add pods.",
    retryAfterSeconds: 5,
  },
  busy: {
    status: 503,
    meaning: "More clients come at once than this pod lets in beside those it serves.",
    next: "Come back at a random moment within Retry-After seconds.",
    retryAfterSeconds: 1,
  },
  stopping: { status: 503, meaning: "The server is stopping.", next: "Connect again.", retryAfterSeconds: 1 },
} as const satisfies Record<string, UpgradeError>;

export type UpgradeErrorCode = keyof typeof UPGRADE_ERRORS;

export type Refusal = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/**
 * The whole answer; the connection ends after it.
 * @param retryAfterMs in place of the table's.
 */
export function refusalOf(code: UpgradeErrorCode, retryAfterMs?: number): Refusal {
  const { status, meaning, next, headers, ...row }: UpgradeError = UPGRADE_ERRORS[code];
  const retryAfterSeconds =
    retryAfterMs === undefined ? row.retryAfterSeconds : Math.max(1, Math.ceil(retryAfterMs / 1_000));
  const body = `${JSON.stringify({ ok: false, status, code, message: meaning, next })}\n`;
  return {
    status,
    headers: {
      Connection: headers?.["Upgrade"] === undefined ? "close" : "close, Upgrade",
      "Content-Type": "application/json",
      "Content-Length": String(Buffer.byteLength(body)),
      "Cache-Control": "no-store",
      ...(retryAfterSeconds === undefined ? {} : { "Retry-After": String(retryAfterSeconds) }),
      ...headers,
    },
    body,
  };
}

/** The same as bytes of HTTP/1.1, for sockets that no response object stands for. */
export function refusalText(code: UpgradeErrorCode, retryAfterMs?: number): string {
  const { status, headers, body } = refusalOf(code, retryAfterMs);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines.join("")}\r\n${body}`;
}
