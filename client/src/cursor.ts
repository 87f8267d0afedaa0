// What a frame means for one channel, given how far the application is and what the frame's socket said before. Pure: no socket,
// no clock. This is where "exactly once, in order" is decided while two sockets deliver the same stream.

import type { GapReason, Position } from "@wscluster/protocol";

/**
 * How far the application is. `dead` = epochs of which the store lost the end: nothing of them counts any more.
 * `past` = epochs that it went through before this one.
 */
export type Cursor = {
  readonly epoch: string;
  readonly offset: number;
  readonly dead: readonly string[];
  readonly past: readonly string[];
};

/**
 * Where one socket stands in the channel. `lost` = it answered `recovered: false` with this epoch, and owes a `gap` or `diverged`.
 */
export type Feed = { readonly epoch: string; readonly offset: number; readonly lost?: string };

const MAX_EPOCHS = 8;

/** A cursor at `position`; `former` is the one that it went on from. */
export function cursorAt(position: Position, former?: Cursor): Cursor {
  const { epoch, offset } = position;
  if (!former || former.epoch === epoch) return { epoch, offset, dead: former?.dead ?? [], past: former?.past ?? [] };
  return { epoch, offset, dead: former.dead, past: [...former.past, former.epoch].slice(-MAX_EPOCHS) };
}

/** The cursor after its epoch was found to have lost its end. */
export function cursorDiverged(cursor: Cursor, next: Position): Cursor {
  if (cursor.epoch === next.epoch) return cursorAt(next, cursor);
  const dead = [...cursor.dead, cursor.epoch].filter((epoch) => epoch !== next.epoch).slice(-MAX_EPOCHS);
  return { ...next, dead, past: cursor.past };
}

export type Verdict =
  | { readonly kind: "deliver"; readonly epoch: string }
  /** The application has it, or it belongs to a dead life. */
  | { readonly kind: "stale" }
  /** Messages before it are missing here, or nobody knows whether it follows: history decides. */
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
  // Does this life follow from ours? A pod that went through two failovers since we last agreed cannot be taken at its number.
  const follows = epoch === cursor.epoch || (pub.e !== undefined && feed.epoch === cursor.epoch);
  if (pub.o === cursor.offset + 1 && follows) return { kind: "deliver", epoch };
  if (pub.o > cursor.offset) return { kind: "hole", epoch };
  // A pod that lags behind sees a failover as benign (it had not sent what was lost), so it says no `diverged`; we had it from
  // the other pod. Its first message of the new life at or below our cursor gives the fork away.
  // (A replay may pass lives that we went through: those are no news.)
  const isNews = pub.e !== undefined && pub.e !== cursor.epoch && !cursor.past.includes(pub.e);
  const begins = isNews && feed.epoch === cursor.epoch;
  return begins ? { kind: "forked", epoch, previous: { epoch: cursor.epoch, offset: pub.o - 1 } } : { kind: "stale" };
}

export type GapVerdict =
  | { readonly kind: "stale" }
  | { readonly kind: "gap"; readonly from: number; readonly to: number; readonly cursor: Cursor };

/** Judges a `gap`: what the application has already, from another socket, is no gap. */
export function judgeGap(
  cursor: Cursor,
  feed: Feed,
  gap: { readonly e: string; readonly to: number; readonly why: GapReason },
): GapVerdict {
  const isOld = cursor.past.includes(gap.e) || cursor.dead.includes(gap.e);
  // A stream that was lost goes on below the cursor: the old number means nothing there. Even in a life that we left behind, if the
  // socket stood in ours: then the store went back to before it. If not, it only tells late what we know.
  if (gap.why === "stream-lost" && gap.e !== cursor.epoch && (feed.epoch === cursor.epoch || !isOld)) {
    const next = cursorDiverged(cursor, { epoch: gap.e, offset: gap.to });
    return { kind: "gap", from: cursor.offset, to: gap.to, cursor: next };
  }
  if (gap.to <= cursor.offset || isOld) return { kind: "stale" };
  return {
    kind: "gap",
    from: cursor.offset,
    to: gap.to,
    cursor: cursorAt({ epoch: gap.e, offset: gap.to }, cursor),
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
