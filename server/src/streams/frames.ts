// Publications as wire frames, made once per pod. Pure. Not here: who gets them.

import type { Position, ServerFrame } from "@wscluster/protocol";
import type { Publication } from "../broker/port.ts";
import { textFrame, textFrameOf } from "../transport/wire-frame.ts";

/** JSON of a `pub` frame; the payload's bytes are spliced in as they were checked at entry. */
export function publicationHead(channelJson: string, publication: Publication): string {
  const epoch = publication.prev ? `,"e":"${publication.epoch}"` : "";
  const trace = publication.trace === undefined ? "" : `,"x":"${publication.trace}"`;
  return `{"t":"pub","c":${channelJson},"o":${publication.offset}${epoch}${trace},"p":${JSON.stringify(publication.user)},"ts":${publication.ts},"d":`;
}

/** What the hub hands to a subscriber inside this process, read again. */
export function framesIn(output: Buffer): readonly ServerFrame[] {
  const frames: ServerFrame[] = [];
  for (let at = 0; at < output.length;) {
    const short = output.readUInt8(at + 1);
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    const length = short < 126 ? short : short === 126 ? output.readUInt16BE(at + 2) : output.readUInt32BE(at + 6);
    frames.push(JSON.parse(output.toString("utf8", at + head, at + head + length)) as ServerFrame);
    at += head + length;
  }
  return frames;
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
