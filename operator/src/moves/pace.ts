// How fast to move now, learnt from those who take in: a little faster each second, half as fast when one of them is under
// pressure. Pure. Not here: the budget that is filled at this rate (cluster/ledger.ts).

export type Pace = {
  /** Connections per second, at most the user's limit. */
  readonly perSecond: number;
  readonly updatedAtMs: number;
  readonly halvedAtMs: number | undefined;
};

/** A recipient above this halves the pace; above planner.ts's mark it gets nobody at all. */
export const SLOW_MARK = 0.8;
/** What was sent before a halving still arrives for so long: a second halving in between would answer the same pressure twice. */
const SETTLE_MS = 3_000;
/** From nothing to the limit in so many seconds. */
const RISE_SECONDS = 20;
/** It never falls below this part of the limit: a pressure that comes from elsewhere must not stop moves for good. */
const FLOOR_PART = 1 / 8;

export function fullPace(maxPerSecond: number, nowMs: number): Pace {
  return { perSecond: maxPerSecond, updatedAtMs: nowMs, halvedAtMs: undefined };
}

/** @param pressures of those that take in now; empty while nothing moves */
export function nextPace(pace: Pace, maxPerSecond: number, pressures: readonly number[], nowMs: number): Pace {
  const elapsedMs = Math.max(0, nowMs - pace.updatedAtMs);
  const floor = Math.max(1, maxPerSecond * FLOOR_PART);
  const isPressed = pressures.some((pressure) => pressure > SLOW_MARK);
  const isSettled = pace.halvedAtMs === undefined || nowMs - pace.halvedAtMs >= SETTLE_MS;
  if (isPressed && isSettled) {
    const perSecond = Math.max(floor, Math.min(pace.perSecond, maxPerSecond) / 2);
    return { perSecond, updatedAtMs: nowMs, halvedAtMs: nowMs };
  }
  const risen = isPressed ? pace.perSecond : pace.perSecond + (maxPerSecond * elapsedMs) / (RISE_SECONDS * 1000);
  return {
    perSecond: Math.min(maxPerSecond, Math.max(floor, risen)),
    updatedAtMs: nowMs,
    halvedAtMs: pace.halvedAtMs,
  };
}
