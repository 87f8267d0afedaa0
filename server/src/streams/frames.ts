// Publications as wire frames, made once per pod. Pure. Not here: who gets them.

import type { Position } from "@wscluster/protocol";
import type { Publication } from "../broker/port.ts";
import { textFrame, textFrameOf } from "../transport/wire-frame.ts";

/** JSON of a `pub` frame; the payload's bytes are spliced in as they were checked at entry. */
export function publicationHead(channelJson: string, publication: Publication): string {
  const epoch = publication.prev ? `,"e":"${publication.epoch}"` : "";
  return `{"t":"pub","c":${channelJson},"o":${publication.offset}${epoch},"p":${JSON.stringify(publication.user)},"ts":${publication.ts},"d":`;
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
