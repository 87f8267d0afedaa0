// Bad messages come in floods: each kind is logged once per interval, with how many more there were. Not here: counting for metrics.

export type Complain = (kind: string, details: Readonly<Record<string, unknown>>) => void;

const INTERVAL_MS = 60_000;

/** @param log gets the details of the first one and the number of those that were not logged before it. */
export function createComplaints(
  log: (kind: string, details: Readonly<Record<string, unknown>>) => void,
  now: () => number,
): Complain {
  const seen = new Map<string, { untilMs: number; more: number }>();
  return (kind, details) => {
    const entry = seen.get(kind);
    if (entry && now() < entry.untilMs) {
      entry.more += 1;
      return;
    }
    seen.set(kind, { untilMs: now() + INTERVAL_MS, more: 0 });
    log(kind, entry && entry.more > 0 ? { ...details, more: entry.more } : details);
  };
}
