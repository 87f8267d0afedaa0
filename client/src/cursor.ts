// What a frame means for one channel, given how far the application is and what the frame's socket said before. Pure: no socket,
// no clock. This is where "exactly once, in order" is decided while two sockets deliver the same stream.

import type { GapReason, Position } from "@wscluster/protocol";

/** How far the application is. `dead` = epochs of which the store lost the end: nothing of them counts any more. */
export type Cursor = { readonly epoch: string; readonly offset: number; readonly dead: readonly string[] };

/** What one socket said last about the channel. `lost` = it answered `recovered: false` and owes a `gap` or `diverged`. */
export type Feed = { readonly epoch: string; readonly offset: number; readonly lost: boolean };

const MAX_DEAD = 8;

export function cursorAt(position: Position, dead: readonly string[] = []): Cursor {
  return { epoch: position.epoch, offset: position.offset, dead };
}

/** The cursor after its epoch was found to have lost its end. */
export function cursorDiverged(cursor: Cursor, next: Position): Cursor {
  if (cursor.epoch === next.epoch) return cursorAt(next, cursor.dead);
  return cursorAt(next, [...cursor.dead, cursor.epoch].filter((epoch) => epoch !== next.epoch).slice(-MAX_DEAD));
}

export type Verdict =
  | { readonly kind: "deliver"; readonly epoch: string }
  /** The application has it, or it belongs to a dead life. */
  | { readonly kind: "stale" }
  /** Messages before it are missing here. */
  | { readonly kind: "hole"; readonly epoch: string }
  /** This socket's life of the stream split off below the cursor: what the application saw above `previous.offset` is gone. */
  | { readonly kind: "forked"; readonly epoch: string; readonly previous: Position };

/** Judges a publication. */
export function judgePublication(
  cursor: Cursor,
  feed: Feed,
  pub: { readonly o: number; readonly e?: string },
): Verdict {
  const epoch = pub.e ?? feed.epoch;
  if (cursor.dead.includes(epoch)) return { kind: "stale" };
  if (pub.o === cursor.offset + 1) return { kind: "deliver", epoch };
  if (pub.o > cursor.offset) return { kind: "hole", epoch };
  // A pod that lags behind sees a failover as benign (it had not sent what was lost), so it says no `diverged`; we had it from
  // the other pod. Its first message of the new life at or below our cursor gives the fork away.
  const begins = pub.e !== undefined && pub.e !== cursor.epoch && feed.epoch === cursor.epoch;
  return begins ? { kind: "forked", epoch, previous: { epoch: cursor.epoch, offset: pub.o - 1 } } : { kind: "stale" };
}

export type GapVerdict =
  | { readonly kind: "stale" }
  | { readonly kind: "gap"; readonly from: number; readonly to: number; readonly cursor: Cursor };

/** Judges a `gap`: what the application has already, from another socket, is no gap. */
export function judgeGap(
  cursor: Cursor,
  gap: { readonly e: string; readonly to: number; readonly why: GapReason },
): GapVerdict {
  if (cursor.dead.includes(gap.e)) return { kind: "stale" };
  // A stream that was lost and begins again may stand below the cursor: the old number means nothing in the new life.
  if (gap.why === "stream-lost" && gap.e !== cursor.epoch) {
    const next = cursorDiverged(cursor, { epoch: gap.e, offset: gap.to });
    return { kind: "gap", from: cursor.offset, to: gap.to, cursor: next };
  }
  if (gap.to <= cursor.offset) return { kind: "stale" };
  return {
    kind: "gap",
    from: cursor.offset,
    to: gap.to,
    cursor: cursorAt({ epoch: gap.e, offset: gap.to }, cursor.dead),
  };
}

export type DivergedVerdict =
  | { readonly kind: "stale" }
  | { readonly kind: "diverged"; readonly previous: Position; readonly cursor: Cursor };

/** Judges a `diverged`: it concerns the application only if it saw messages above what remains. */
export function judgeDiverged(
  cursor: Cursor,
  frame: { readonly e: string; readonly o: number; readonly prev: Position },
): DivergedVerdict {
  if (cursor.dead.includes(frame.e) || cursor.epoch !== frame.prev.epoch) return { kind: "stale" };
  if (cursor.offset <= frame.prev.offset) return { kind: "stale" };
  return {
    kind: "diverged",
    previous: frame.prev,
    cursor: cursorDiverged(cursor, { epoch: frame.e, offset: frame.o }),
  };
}
