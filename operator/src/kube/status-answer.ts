// Reads what the API server says when it refuses: its Status object, or plain text from a proxy in between. Pure.
import { codeFor, KubeError, type KubeErrorCode } from "./errors.ts";

export type StatusBody = {
  code?: number;
  reason?: string;
  message?: string;
  details?: { retryAfterSeconds?: number; causes?: { reason?: string; message?: string; field?: string }[] };
};

const LONGEST_MESSAGE = 600;

export function parseStatusBody(text: string): StatusBody {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === "object" && body !== null && "kind" in body && body.kind === "Status")
      return body as StatusBody;
  } catch {
    // Not JSON: a proxy, or the server's own plain text ("Too many requests, please try again later.").
  }
  return { message: text };
}

/** `Retry-After` in milliseconds: seconds or an HTTP date. Undefined when absent or unreadable. */
export function parseRetryAfter(header: string | string[] | undefined, wallNowMs: number): number | undefined {
  const value = Array.isArray(header) ? header[0] : header;
  if (value === undefined || value.trim() === "") return undefined;
  if (/^\d+$/.test(value.trim())) return Number(value) * 1000;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - wallNowMs);
}

/** @param attempted what was tried to which, e.g. `apply replicasets chat/blue` */
export function statusError(
  attempted: string,
  httpStatus: number,
  body: StatusBody,
  options: { retryAfterMs?: number | undefined; isSecret?: boolean; isFinal?: boolean } = {},
): KubeError {
  const code = isRefusedApply(httpStatus, body) ? "Invalid" : codeFor(httpStatus, body.reason);
  // The server may quote the value that it refuses.
  const told = options.isSecret === true ? (body.reason ?? "") : oneLine(body.message ?? "");
  const why = told === "" ? `HTTP ${httpStatus}` : told;
  const seconds = body.details?.retryAfterSeconds;
  const retryAfterMs = options.retryAfterMs ?? (seconds === undefined || seconds <= 0 ? undefined : seconds * 1000);
  return new KubeError(code, `cannot ${attempted}: ${why}${advice(code)}`, {
    status: httpStatus,
    isFinal: options.isFinal ?? false,
    ...(body.reason === undefined ? {} : { reason: body.reason }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

// Server-side apply answers an unknown field with 500 (seen on 1.37): retrying such a manifest can never help.
function isRefusedApply(httpStatus: number, body: StatusBody): boolean {
  return httpStatus === 500 && (body.message ?? "").startsWith("failed to create typed patch object");
}

function advice(code: KubeErrorCode): string {
  if (code === "Forbidden") return "; check the Role of the operator's service account";
  if (code === "Unauthorized") return "; check the credentials";
  return "";
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > LONGEST_MESSAGE ? `${line.slice(0, LONGEST_MESSAGE)}...` : line;
}
