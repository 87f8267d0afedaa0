// How many events fell into the fullest second. Pure.

/** Most events in any whole second, counted from the first event; 0 without events. */
export function peakPerSecond(timesMs: readonly number[]): number {
  const first = timesMs.reduce((least, time) => Math.min(least, time), Infinity);
  const seconds = new Map<number, number>();
  for (const time of timesMs) {
    const second = Math.floor((time - first) / 1_000);
    seconds.set(second, (seconds.get(second) ?? 0) + 1);
  }
  return Math.max(0, ...seconds.values());
}
