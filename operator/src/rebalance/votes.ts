// When a number that jumps may be called high: a smoothed window, votes, an entrance above the exit, and a pause after the
// exit. Pure; the same for pods, partitions and channels. Not here: what the number is (heat.ts).

export type VoteRules = {
  /** Votes while the smoothed number is above this. */
  readonly enterAbove: number;
  /** Once high it stays so until the smoothed number is below this. */
  readonly exitBelow: number;
  /** Not called high again for this long after the exit. */
  readonly cooldownMs: number;
};

export type VoteTrack = {
  /** Last numbers, newest last. */
  readonly window: readonly number[];
  /** Last votes, newest last. */
  readonly votes: readonly boolean[];
  readonly isHigh: boolean;
  readonly atMs: number;
  readonly coolUntilMs: number;
};

export const WINDOW = 12;
/** Before this many numbers nothing is said. */
export const LEAST_NUMBERS = 6;
const VOTES = 6;
const VOTES_NEEDED = 4;
/** Dropped at each end of a full window: a lie or a pause of the collector is one number, not a trend. */
const TRIMMED = 2;
/** After a longer silence what was known before says nothing any more. */
const LONGEST_SILENCE_MS = 60_000;

/**
 * @param value undefined = unknown now: no vote is cast and none is taken away.
 * @param mayVote false = too young to be called high.
 */
export function nextVotes(
  before: VoteTrack | undefined,
  value: number | undefined,
  nowMs: number,
  rules: VoteRules,
  mayVote = true,
): VoteTrack {
  const kept = before !== undefined && nowMs - before.atMs <= LONGEST_SILENCE_MS ? before : undefined;
  if (value === undefined || !Number.isFinite(value)) {
    return (
      kept ?? {
        window: [],
        votes: [],
        isHigh: false,
        atMs: before?.atMs ?? nowMs,
        coolUntilMs: before?.coolUntilMs ?? 0,
      }
    );
  }
  const window = [...(kept?.window ?? []), value].slice(-WINDOW);
  const smooth = smoothedOf(window);
  const coolUntilMs = before?.coolUntilMs ?? 0;
  if (smooth === undefined || !mayVote) return { window, votes: [], isHigh: false, atMs: nowMs, coolUntilMs };
  const votes = [...(kept?.votes ?? []), smooth > rules.enterAbove].slice(-VOTES);
  const isElected = votes.filter(Boolean).length >= VOTES_NEEDED && nowMs >= coolUntilMs;
  const isHigh = kept?.isHigh === true ? smooth >= rules.exitBelow : isElected;
  const hasLeft = kept?.isHigh === true && !isHigh;
  return { window, votes, isHigh, atMs: nowMs, coolUntilMs: hasLeft ? nowMs + rules.cooldownMs : coolUntilMs };
}

/** Mean of the middle of the window; undefined while it is too short. */
export function smoothedOf(window: readonly number[]): number | undefined {
  if (window.length < LEAST_NUMBERS) return undefined;
  const trimmed = Math.min(TRIMMED, Math.floor((window.length - 1) / 4));
  const middle = window.toSorted((a, b) => a - b).slice(trimmed, window.length - trimmed);
  return middle.reduce((sum, value) => sum + value, 0) / middle.length;
}
