// Where a position stands in a stream that may have had several lives. Pure. Not here: reading, sending.

import type { Position } from "@wscluster/protocol";
import type { StreamTop } from "../broker/port.ts";

export type Continuation =
  | { readonly kind: "continue"; readonly after: number }
  /** The position lies above what its life kept: everything above `prev.offset` is not part of the stream any more. `next` = the life that goes on from there. */
  | { readonly kind: "diverged"; readonly prev: Position; readonly next: string }
  /** The position's life is not remembered. */
  | { readonly kind: "unknown" };

/** Offsets go on across lives, so a position of a former life goes on in the present one iff it does not lie above that life's end. */
export function continuationOf(from: Position, top: StreamTop): Continuation {
  const end = from.epoch === top.epoch ? top.top : top.lives.find(([epoch]) => epoch === from.epoch)?.[1];
  if (end === undefined) return { kind: "unknown" };
  if (from.offset <= end) return { kind: "continue", after: from.offset };
  return { kind: "diverged", prev: { epoch: from.epoch, offset: end }, next: lifeAfter(from.epoch, top) };
}

/** The life that began when this one ended; itself while it lasts. */
export function lifeAfter(epoch: string, top: StreamTop): string {
  const at = top.lives.findIndex(([former]) => former === epoch);
  return at === -1 ? top.epoch : (top.lives[at + 1]?.[0] ?? top.epoch);
}

/** Where a former life ended; `undefined` for the present one and those that are not remembered. */
export function endOf(epoch: string, top: StreamTop): number | undefined {
  return top.lives.find(([former]) => former === epoch)?.[1];
}
