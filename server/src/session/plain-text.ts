// Frames that the hub made for the SDK's protocol, said to a plain client. Pure. Not here: the connection (plain-connection.ts).

import { PLAIN_BATCH } from "@wscluster/protocol";
import { framesOf } from "../transport/wire-frame.ts";

const DATA = ',"d":';
/** A piece of output is one buffer for all subscribers of a pod: it is translated once. */
const translated = new WeakMap<Buffer, readonly string[]>();

/** The `message`s in a piece of the hub's output, which is one frame or several; other frames are of no use to a plain client. */
export function plainMessagesOf(output: Buffer): readonly string[] {
  const known = translated.get(output);
  if (known) return known;
  const texts = framesOf(output).map(({ payload }) => payload.toString());
  const messages = texts.filter((text) => text.startsWith('{"t":"pub')).map(messageOf);
  translated.set(output, messages);
  return messages;
}

function messageOf(text: string): string {
  // The first one that is not inside a string: there its quotes would be escaped.
  const at = text.indexOf(DATA);
  const head = JSON.parse(`${text.slice(0, at)}}`) as { readonly c: string; readonly p: string; readonly ts?: number };
  const timestamp = head.ts === undefined ? "" : `,"timestamp":${Math.floor(head.ts / 1_000)}`;
  const data = text.slice(at + DATA.length);
  return `{"type":"message","channel":${JSON.stringify(head.c)},"from":${JSON.stringify(head.p)}${timestamp},"data":${data}`;
}

/** Messages as they go out: alone, or in batches. */
export function batchesOf(messages: readonly string[]): readonly string[] {
  if (messages.length === 1) return messages;
  const batches: string[] = [];
  for (let at = 0; at < messages.length; at += PLAIN_BATCH) {
    batches.push(`{"type":"batch","messages":[${messages.slice(at, at + PLAIN_BATCH).join(",")}]}`);
  }
  return batches;
}
