// What a client's sockets say about its moves: make before break, who closed, how long it stood in the dark. Pure.
// Read from the frames and stamps on the sockets themselves, not from what the SDK says about itself.

/** One socket's life; stamps in milliseconds of one monotonic clock, absent = did not happen. */
export type SocketLife = {
  readonly openedAt?: number;
  readonly welcomedAt?: number;
  /** KEY of the pod that welcomed. */
  readonly pod?: string;
  /** Welcomed as the second socket of a move. */
  readonly prepared?: boolean;
  /** Welcomed into the session that was there before. */
  readonly resumed?: boolean;
  readonly commitSentAt?: number;
  readonly committedAt?: number;
  /** The client asked for the close, before any close by the other side was seen. */
  readonly closeCalledAt?: number;
  readonly closedAt?: number;
  readonly closeCode?: number;
};

export type Continuity = {
  /** Moves that were committed. */
  readonly moves: number;
  /** Of them: welcome and commit on the new socket before the old one closed, and the close made by the client. */
  readonly makeBeforeBreak: number;
  /** Returns to the same session after a break. */
  readonly resumes: number;
  /** Returns with a new session. */
  readonly resets: number;
  /** Sockets that held the session and were closed by the server or broke. */
  readonly cut: number;
  /** Longest time without a welcomed open socket, between the first welcome and the end: nothing can be received. */
  readonly longestDarkMs: number;
  /** Longest time without a socket that takes writes: the dark time, and the commit of each move, during which writes wait. */
  readonly longestHoldMs: number;
  /** Pod of the socket that holds the session at the end. */
  readonly pod: string | undefined;
  /** At the end some socket holds the session. */
  readonly isHeld: boolean;
};

type Span = { readonly from: number; readonly to: number };

/** When the socket holds the session: from welcome, or from commit where it was the second socket of a move. */
function heldFrom(life: SocketLife): number | undefined {
  return life.prepared ? life.committedAt : life.welcomedAt;
}

function endOf(life: SocketLife, end: number): number {
  return Math.min(life.closeCalledAt ?? end, life.closedAt ?? end, end);
}

function longestHole(spans: readonly Span[]): number {
  let covered: number | undefined;
  let longest = 0;
  for (const span of spans.toSorted((a, b) => a.from - b.from)) {
    if (covered !== undefined) longest = Math.max(longest, span.from - covered);
    covered = Math.max(covered ?? span.to, span.to);
  }
  return longest;
}

/**
 * @param lives in the order in which the sockets were made.
 * @param end when the run ended; sockets closed from then on are not counted.
 */
export function continuityOf(lives: readonly SocketLife[], end: number): Continuity {
  const holders = lives.filter((life) => (heldFrom(life) ?? Infinity) < end);
  const moved = holders.filter((life) => life.prepared);
  // A second socket is given the streams from its welcome on, but takes writes only from the commit on.
  const live = holders.map((life): Span => ({ from: life.welcomedAt ?? end, to: endOf(life, end) }));
  const writable = holders.map((life, index): Span => {
    const next = holders[index + 1];
    const writesUntil = next?.prepared ? (next.commitSentAt ?? end) : end;
    return { from: heldFrom(life) ?? end, to: Math.min(endOf(life, end), writesUntil) };
  });
  const last = holders.at(-1);
  const lastEnd = last ? endOf(last, end) : end;
  const returns = holders.slice(1).filter((life) => !life.prepared);
  return {
    moves: moved.length,
    makeBeforeBreak: moved.filter((life) => {
      const old = holders[holders.indexOf(life) - 1];
      if (!old) return false;
      const committedAt = life.committedAt ?? Infinity;
      const stillOpen = (old.closedAt ?? Infinity) >= committedAt && (old.closeCalledAt ?? Infinity) >= committedAt;
      return stillOpen && (old.closedAt === undefined || old.closeCalledAt !== undefined);
    }).length,
    resumes: returns.filter((life) => life.resumed).length,
    resets: returns.filter((life) => !life.resumed).length,
    cut: holders.filter(
      (life) => life.closedAt !== undefined && life.closedAt < end && life.closeCalledAt === undefined,
    ).length,
    longestDarkMs: Math.max(longestHole(live), end - lastEnd),
    longestHoldMs: Math.max(longestHole(writable), end - lastEnd),
    pod: last?.pod,
    isHeld: last !== undefined && lastEnd >= end,
  };
}
