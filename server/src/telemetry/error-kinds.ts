// Close codes and error codes as metric labels: a client can close with any of 4,000 codes, and a label must stay bounded. Pure.

import { closeCodeOf } from "@wscluster/protocol";
import type { WireErrorName } from "@wscluster/protocol";

/** Which side of the service failed: the transport, what a client said, or somebody who did not answer in time. */
export type ErrorKind = "connection" | "message" | "timeout";

/** RFC 6455 codes that no table of ours names: no status, broken connection, protocol error, bad UTF-8. */
const OTHER_CODES: ReadonlySet<number> = new Set([1002, 1003, 1005, 1006, 1007, 1008, 1011]);

/** The code, or `other`. */
export function closeLabel(code: number): string {
  return closeCodeOf(code) || OTHER_CODES.has(code) ? String(code) : "other";
}

const KIND_OF_CLOSE: Readonly<Record<number, ErrorKind>> = {
  1002: "connection",
  1003: "message",
  1006: "connection",
  1007: "connection",
  1008: "message",
  1009: "message",
  1011: "connection",
  4000: "message",
  4001: "message",
  4002: "message",
  4003: "timeout",
  4100: "connection",
  4101: "timeout",
  4102: "message",
  4103: "connection",
  4104: "timeout",
  4201: "timeout",
};

/** Undefined for an end that is none of the service's errors. */
export function errorKindOfClose(code: number): ErrorKind | undefined {
  return KIND_OF_CLOSE[code];
}

export function errorKindOf(code: WireErrorName): ErrorKind {
  return code === "unavailable" ? "timeout" : "message";
}
