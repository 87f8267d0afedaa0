// Where a position stands in a stream that may have had several lives. Pure. Not here: reading, sending.

import type { Position } from "@wscluster/protocol";
import type { StreamTop } from "../broker/port.ts";

export type Continuation =
  | { readonly kind: "continue"; readonly after: number }
  /** The position lies above what its life kept: everything above `prev.offset` is not part of the stream any more. */
  | { readonly kind: "diverged"; readonly prev: Position }
  /** The position's life is not remembered. */
  | { readonly kind: "unknown" };

/** Offsets go on across lives, so a position of a former life goes on in the present one iff it does not lie above that life's end. */
export function continuationOf(from: Position, top: StreamTop): Continuation {
  const end = from.epoch === top.epoch ? top.top : top.lives.find(([epoch]) => epoch === from.epoch)?.[1];
  if (end === undefined) return { kind: "unknown" };
  if (from.offset <= end) return { kind: "continue", after: from.offset };
  return { kind: "diverged", prev: { epoch: from.epoch, offset: end } };
}
