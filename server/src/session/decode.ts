// Client frames: text -> typed frames. Pure. Not here: what they do. The bytes of a payload are cut out of the text as they came.

import { WIRE_DEFAULTS } from "@wscluster/protocol";
import type { Capability, ClientFrame, HelloFrame, Position, SubscribeRequest } from "@wscluster/protocol";
import { serviceFrameOf } from "./decode-services.ts";
import { isCount, isName, isRecord } from "./json-shape.ts";
import type { Json } from "./json-shape.ts";
import { elementTexts, memberText } from "./json-span.ts";

export type Decoded =
  | { readonly ok: true; readonly frame: ClientFrame; readonly data: string }
  | { readonly ok: false; readonly code: "bad-frame" | "unknown-type"; readonly message: string; readonly i?: number };

export type DecodedText = { readonly ok: true; readonly frames: readonly Decoded[] } | { readonly ok: false };

const MAX_FRAMES_IN_ARRAY = 256;
const CAPABILITIES: ReadonlySet<string> = new Set<Capability>(["migrate", "resume", "batch"]);

/** One message of the socket: a frame, or an array of frames. `ok: false` when it is no JSON of that shape. */
export function decodeText(text: string): DecodedText {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false };
  }
  if (isRecord(value)) return { ok: true, frames: [decodeFrame(value, text)] };
  if (!Array.isArray(value) || value.length > MAX_FRAMES_IN_ARRAY) return { ok: false };
  const texts = elementTexts(text);
  const frames: Decoded[] = [];
  for (const [index, element] of value.entries()) {
    if (!isRecord(element)) return { ok: false };
    frames.push(decodeFrame(element, texts[index] ?? ""));
  }
  return { ok: true, frames };
}

function decodeFrame(value: Json, text: string): Decoded {
  const frame = frameOf(value);
  if (typeof frame === "string") {
    const code = frame === "" ? "unknown-type" : "bad-frame";
    const message = frame === "" ? `no frame type ${printable(value["t"])} is known` : frame;
    return { ok: false, code, message, ...(isCount(value["i"]) ? { i: value["i"] } : {}) };
  }
  const carries = "d" in frame;
  return { ok: true, frame, data: carries ? (memberText(text, "d") ?? "null") : "" };
}

function printable(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 32)) : typeof value;
}

/** The frame, or what is wrong with it; "" for an unknown type. */
function frameOf(value: Json): ClientFrame | string {
  const { t, i, c } = value;
  switch (t) {
    case "hello":
      return helloOf(value);
    case "sub": {
      if (!isCount(i)) return "sub needs i";
      const request = subscribeOf(value);
      return request ? { t, i, ...request } : "sub needs c, and from as {epoch, offset}";
    }
    case "unsub":
      return isCount(i) && isName(c) ? { t, i, c } : "unsub needs i and c";
    case "pub": {
      const { s } = value;
      if (!isCount(i) || !isName(c) || !isCount(s) || s < 1) return "pub needs i, c and s from 1";
      return "d" in value ? { t, i, c, s, d: value["d"] } : "pub needs d";
    }
    case "pub.ephemeral":
      return isName(c) && "d" in value ? { t, c, d: value["d"] } : "pub.ephemeral needs c and d";
    case "fetch": {
      const from = positionOf(value["from"]);
      const { n } = value;
      return isCount(i) && isName(c) && from && isCount(n) ? { t, i, c, from, n } : "fetch needs i, c, from and n";
    }
    case "commit":
    case "ping":
      return isCount(i) ? { t, i } : `${t} needs i`;
    case "migrate.fail": {
      const { id, why } = value;
      return isName(id) ? { t, id, why: isName(why) ? why.slice(0, 200) : "" } : "migrate.fail needs id";
    }
    case "pong":
      return { t };
    default:
      return serviceFrameOf(value);
  }
}

function helloOf(value: Json): HelloFrame | string {
  const { producer, caps, sub, resume, token, user, device, instance, ticket, prepare } = value;
  if (!isRecord(producer) || !isName(producer["id"]) || !isCount(producer["gen"]))
    return "hello needs producer {id, gen}";
  if (producer["id"].length === 0 || producer["id"].length > 128) return "producer.id must have 1 to 128 characters";
  const subs: SubscribeRequest[] = [];
  for (const item of Array.isArray(sub) ? sub : []) {
    const request = isRecord(item) ? subscribeOf(item) : undefined;
    if (!request) return "hello.sub must be a list of {c, from?}";
    subs.push(request);
  }
  const parsedResume = resumeOf(resume);
  if (parsedResume === undefined) return "hello.resume needs session, secret and pos as [channel, epoch, offset]";
  return {
    t: "hello",
    producer: { id: producer["id"], gen: producer["gen"] },
    caps: (Array.isArray(caps) ? caps : []).filter((cap): cap is Capability => CAPABILITIES.has(String(cap))),
    ...(isName(token) ? { token } : {}),
    ...(isName(user) ? { user } : {}),
    ...(isName(device) ? { device } : {}),
    ...(isName(instance) && instance.length <= 64 ? { instance } : {}),
    ...(parsedResume ? { resume: parsedResume } : {}),
    ...(isName(ticket) ? { ticket } : {}),
    ...(prepare === true ? { prepare } : {}),
    ...(subs.length > 0 ? { sub: subs } : {}),
  };
}

/** `null` when there is none, `undefined` when it is broken. */
function resumeOf(value: unknown): HelloFrame["resume"] | null | undefined {
  if (value === undefined || value === null) return null;
  if (!isRecord(value)) return undefined;
  const { session, secret, pos } = value;
  if (!isName(session) || !isName(secret) || session.length > 64 || secret.length > 128) return undefined;
  const positions: (readonly [string, string, number])[] = [];
  for (const item of Array.isArray(pos) ? (pos as readonly unknown[]) : []) {
    if (!Array.isArray(item)) return undefined;
    const [channel, epoch, offset] = item as readonly unknown[];
    if (!isName(channel) || !isName(epoch) || !isCount(offset)) return undefined;
    positions.push([channel, epoch, offset]);
  }
  if (positions.length > WIRE_DEFAULTS.maxSubscriptions) return undefined;
  return { session, secret, pos: positions };
}

function subscribeOf(value: Json): SubscribeRequest | undefined {
  const { c } = value;
  if (!isName(c)) return undefined;
  if (value["from"] === undefined || value["from"] === null) return { c };
  const from = positionOf(value["from"]);
  return from ? { c, from } : undefined;
}

function positionOf(value: unknown): Position | undefined {
  if (!isRecord(value)) return undefined;
  const { epoch, offset } = value;
  return isName(epoch) && epoch.length <= 64 && isCount(offset) ? { epoch, offset } : undefined;
}
