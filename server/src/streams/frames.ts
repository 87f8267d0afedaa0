// Publications as wire frames, made once per pod. Pure. Not here: who gets them.

import type { Position, ServerFrame } from "@wscluster/protocol";
import type { Publication } from "../broker/port.ts";
import { framesOf, textFrame, textFrameOf } from "../transport/wire-frame.ts";

/** JSON of a `pub` frame; the payload's bytes are spliced in as they were checked at entry. */
export function publicationHead(channelJson: string, publication: Publication): string {
  const epoch = publication.prev ? `,"e":"${publication.epoch}"` : "";
  const trace = publication.trace === undefined ? "" : `,"x":"${publication.trace}"`;
  return `{"t":"pub","c":${channelJson},"o":${publication.offset}${epoch}${trace},"p":${JSON.stringify(publication.user)},"ts":${publication.ts},"d":`;
}

/** What the hub hands to a subscriber inside this process, read again. */
export function framesIn(output: Buffer): readonly ServerFrame[] {
  return framesOf(output).map(({ payload }) => JSON.parse(payload.toString()) as ServerFrame);
}

export function publicationFrame(channelJson: string, publication: Publication): Buffer {
  return textFrameOf(publicationHead(channelJson, publication), publication.data, "}");
}

export function ephemeralFrame(channelJson: string, user: string, data: Buffer): Buffer {
  return textFrameOf(`{"t":"pub.ephemeral","c":${channelJson},"p":${JSON.stringify(user)},"d":`, data, "}");
}

/** `epoch` goes on where `prev` ended. */
export function divergedFrame(channel: string, epoch: string, prev: Position): Buffer {
  return textFrame(JSON.stringify({ t: "diverged", c: channel, e: epoch, o: prev.offset, prev }));
}
