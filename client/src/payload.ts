// What the application gives to `publish`, as bytes for the wire, and the errors of publishing. Not here: sending.

import type { ClientErrorCode } from "./errors.ts";
import { ClientError } from "./errors.ts";

export function publishError(
  code: ClientErrorCode,
  channel: string,
  why: string,
  more?: { wireCode?: string; cause?: unknown },
): ClientError {
  return new ClientError(code, `cannot publish to "${channel}": ${why}`, more);
}

/** Encodes the data once; the error is `bad-payload` or `too-large`. */
export function encodePayload(channel: string, data: unknown, maxBytes: number): string | ClientError {
  let json: string | undefined;
  let cause: unknown;
  try {
    json = JSON.stringify(data);
  } catch (error) {
    cause = error;
  }
  if (json === undefined) return publishError("bad-payload", channel, `no JSON form of ${typeof data}`, { cause });
  // Three bytes is the most that one UTF-16 unit takes; only texts near the limit are measured exactly.
  if (json.length * 3 > maxBytes && new TextEncoder().encode(json).length > maxBytes) {
    return publishError("too-large", channel, `the payload is larger than ${maxBytes} bytes`);
  }
  return json;
}
