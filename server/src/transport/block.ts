// Many publications as one compressed binary frame, made once and shared by all who can read it. Pure. Not here: when channels gather
// (hub/channel.ts).
//
// The frame's payload is raw deflate (RFC 1951) of JSON texts with a record separator between them (U+001E as in RFC 7464: no JSON
// text can hold it unescaped, while payloads may well hold line breaks). There is no dictionary that outlives a block, so any block can
// be read alone, and no memory is held per socket as permessage-deflate does.

import { deflateRawSync } from "node:zlib";
import { BLOCK_SEPARATOR } from "@wscluster/protocol";
import { binaryFrame, framesOf } from "./wire-frame.ts";

/** Less is not worth the CPU of the one who unpacks it. Bytes. */
const MIN_BYTES = 1_024;
/** A block must be a fifth smaller. */
const MAX_SHARE = 0.8;

const SEPARATOR = Buffer.from(BLOCK_SEPARATOR);

/** The frames in a piece of output as one block, or undefined where that would save too little. */
export function blockOf(output: Buffer): Buffer | undefined {
  if (output.length <= MIN_BYTES) return undefined;
  const parts = framesOf(output).flatMap(({ payload }) => [SEPARATOR, payload]);
  const block = binaryFrame(deflateRawSync(Buffer.concat(parts.slice(1))));
  return block.length <= output.length * MAX_SHARE ? block : undefined;
}
