// Whether moves kept the published pace. Pure.

const WINDOW_MS = 10_000;
/** Whichever is more is allowed above the pace: 5 % or this many connections. */
const SLACK_CONNECTIONS = 2;

/** Most stamps within any `windowMs`. @param stamps sorted, milliseconds. */
export function busiestWindow(stamps: readonly number[], windowMs = WINDOW_MS): number {
  let most = 0;
  let first = 0;
  stamps.forEach((at, index) => {
    while (at - (stamps[first] ?? at) >= windowMs) first += 1;
    most = Math.max(most, index - first + 1);
  });
  return most;
}

/** How far the busiest 10 s were above the pace, in per cent of the pace; 0 when within it or within two connections. */
export function paceErrorPercent(stamps: readonly number[], maxPerSecond: number): number {
  const allowed = (maxPerSecond * WINDOW_MS) / 1_000;
  const over = busiestWindow(stamps) - allowed;
  return over <= SLACK_CONNECTIONS ? 0 : (over / allowed) * 100;
}
