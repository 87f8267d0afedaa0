// A publication as it is stored and as it travels between pods: `1 OFFSET EPOCH TS PREV_EPOCH PREV_TOP USER\nDATA`. Pure.
// USER is JSON text: a name, or of a sampled message [name, traceparent].
// PREV_EPOCH is "-" except on the first publication of a life, where "=" means that there was no life before.
// Not here: writing it (scripts.ts does, in the store).

import { traceOf } from "../../telemetry/tracing.ts";
import type { Publication } from "../port.ts";

const NEWLINE = 10;

/** `undefined` for a format that this version does not know. */
export function publicationOf(stream: string, message: Buffer): Publication | undefined {
  const end = message.indexOf(NEWLINE);
  const head = message.toString("utf8", 0, Math.max(0, end));
  const parts = /^1 (\d+) (\S+) (\d+) (\S+) (\d+) (.*)$/.exec(head);
  if (!parts) return undefined;
  const [, offset = "", epoch = "", ts = "", prevEpoch = "", prevTop = "", user = ""] = parts;
  return {
    stream,
    epoch,
    offset: Number(offset),
    ...(prevEpoch === "-" ? {} : { prev: { epoch: prevEpoch === "=" ? "" : prevEpoch, offset: Number(prevTop) } }),
    ts: Number(ts),
    ...authorOf(JSON.parse(user)),
    data: message.subarray(end + 1),
  };
}

export function authorText(user: string, trace: string | undefined): string {
  return JSON.stringify(trace === undefined ? user : [user, trace]);
}

function authorOf(author: unknown): Pick<Publication, "user" | "trace"> {
  if (!Array.isArray(author)) return { user: String(author) };
  const [user, trace] = author as readonly unknown[];
  return { user: String(user), ...(traceOf(trace) ? { trace: String(trace) } : {}) };
}

/** `e1 USER\nDATA`. */
export function ephemeralMessage(user: string, data: string): string {
  return `e1 ${JSON.stringify(user)}\n${data}`;
}

export function ephemeralOf(message: Buffer): { readonly user: string; readonly data: Buffer } | undefined {
  if (message.toString("latin1", 0, 3) !== "e1 ") return undefined;
  const end = message.indexOf(NEWLINE);
  return { user: String(JSON.parse(message.toString("utf8", 3, end))), data: message.subarray(end + 1) };
}
