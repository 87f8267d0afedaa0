// Maintenance windows: whether one is open at a moment, and when the next one opens. Pure: the moment comes in; the rules of the
// time zones are those of the ICU that Node carries. Not here: what waits outside of a window (holds.ts).
import type { MoveWindow } from "@wscluster/crds";

export type WindowVerdict =
  | { readonly kind: "open"; readonly untilMs: number }
  /** `opensAtMs` is undefined when none opens any more, for instance in a time zone that nobody knows. */
  | { readonly kind: "closed"; readonly opensAtMs: number | undefined };

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] as const;

/** No windows at all means: always. */
export function judgeWindows(windows: readonly MoveWindow[] | undefined, nowMs: number): WindowVerdict {
  if (windows === undefined || windows.length === 0) return { kind: "open", untilMs: Infinity };
  const spans = windows.flatMap((window) => spansOf(window, nowMs));
  let untilMs = nowMs;
  // Windows that touch or overlap are one.
  for (let grown = true; grown;) {
    const longer = spans.filter((span) => span.startMs <= untilMs && span.endMs > untilMs);
    grown = longer.length > 0;
    untilMs = longer.reduce((latest, span) => Math.max(latest, span.endMs), untilMs);
  }
  if (untilMs > nowMs) return { kind: "open", untilMs };
  const later = spans.map((span) => span.startMs).filter((startMs) => startMs > nowMs);
  return { kind: "closed", opensAtMs: later.length === 0 ? undefined : Math.min(...later) };
}

/** Every span of a window that may cover now or come within the next eight days. */
function spansOf(window: MoveWindow, nowMs: number): { startMs: number; endMs: number }[] {
  const { timeZone = "UTC", durationMinutes, start } = window;
  const format = formatOf(timeZone);
  if (format === undefined) return [];
  const [hour = 0, minute = 0] = start.split(":").map(Number);
  const daysBack = Math.ceil((durationMinutes * MINUTE_MS) / DAY_MS) + 1;
  const today = localOf(format, nowMs);
  // Counted in days of the calendar: at a change of the clock a day has 23 or 25 hours.
  const noon = Date.UTC(today.year, today.month - 1, today.day, 12);
  return Array.from({ length: daysBack + 9 }, (_none, index) => new Date(noon + (index - daysBack) * DAY_MS))
    .filter((date) => window.days === undefined || window.days.includes(DAYS[date.getUTCDay()] ?? "Sun"))
    .map((date) => {
      const wall = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate(), hour, minute);
      const startMs = momentOf(format, wall);
      return { startMs, endMs: startMs + durationMinutes * MINUTE_MS };
    });
}

/**
 * The moment at which the clock on the wall shows `wall` (its digits as if they were UTC). A time that is skipped is taken as long
 * after the change as it would have been; of one that comes twice the first counts.
 */
function momentOf(format: Intl.DateTimeFormat, wall: number): number {
  const before = wall - offsetAt(format, wall - DAY_MS);
  const after = wall - offsetAt(format, wall + DAY_MS);
  const fits = [before, after].filter((moment) => moment + offsetAt(format, moment) === wall);
  return fits.length === 0 ? before : Math.min(...fits);
}

function offsetAt(format: Intl.DateTimeFormat, moment: number): number {
  const { year, month, day, hour, minute } = localOf(format, moment);
  return Date.UTC(year, month - 1, day, hour, minute) - Math.floor(moment / MINUTE_MS) * MINUTE_MS;
}

function localOf(format: Intl.DateTimeFormat, moment: number) {
  const parts = new Map(format.formatToParts(moment).map(({ type, value }) => [type, Number(value)]));
  const part = (name: Intl.DateTimeFormatPartTypes) => parts.get(name) ?? 0;
  return { year: part("year"), month: part("month"), day: part("day"), hour: part("hour"), minute: part("minute") };
}

/** Making one is dear, and a decision is made every second. */
const formats = new Map<string, Intl.DateTimeFormat | undefined>();

function formatOf(timeZone: string): Intl.DateTimeFormat | undefined {
  if (formats.has(timeZone)) return formats.get(timeZone);
  const format = newFormat(timeZone);
  formats.set(timeZone, format);
  return format;
}

function newFormat(timeZone: string): Intl.DateTimeFormat | undefined {
  try {
    return new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
    });
  } catch {
    return undefined;
  }
}
