// Counters to rates, across restarts and lost scrapes. Pure.

export type CounterAt = {
  readonly value: number;
  /** Which life of the process; undefined = it does not say. */
  readonly boot: string | undefined;
  /** Monotonic. */
  readonly atMs: number;
};

export type Rate =
  | { readonly kind: "known"; readonly perSecond: number }
  | { readonly kind: "unknown"; readonly why: "first" | "restarted" | "too-soon" | "too-long" | "implausible" };

/** Nearer readings make noise of a tick; of further ones nobody knows how often the process restarted between them. */
const SHORTEST_MS = 500;
const LONGEST_MS = 120_000;

/**
 * A counter that fell, or another boot, is a restart. What it counted before is lost, so the rate over this interval is
 * unknown; taking it as `after / interval` would show a busy pod as idle.
 *
 * @param most above this (per second) the pod lies.
 */
export function rateBetween(before: CounterAt | undefined, after: CounterAt, most: number): Rate {
  if (before === undefined) return { kind: "unknown", why: "first" };
  const isReborn = before.boot !== undefined && after.boot !== undefined && before.boot !== after.boot;
  if (isReborn || after.value < before.value) return { kind: "unknown", why: "restarted" };
  const elapsedMs = after.atMs - before.atMs;
  if (!(elapsedMs >= SHORTEST_MS)) return { kind: "unknown", why: "too-soon" };
  if (elapsedMs > LONGEST_MS) return { kind: "unknown", why: "too-long" };
  const perSecond = ((after.value - before.value) * 1_000) / elapsedMs;
  return perSecond <= most ? { kind: "known", perSecond } : { kind: "unknown", why: "implausible" };
}
