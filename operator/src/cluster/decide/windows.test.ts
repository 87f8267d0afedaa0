import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { judgeWindows } from "./windows.ts";

const at = (text: string) => Date.parse(text);
const night = { days: ["Sat" as const], start: "02:00", durationMinutes: 120, timeZone: "Europe/Berlin" };
const opens = (text: string) => ({ kind: "closed", opensAtMs: at(text) });
const until = (text: string) => ({ kind: "open", untilMs: at(text) });

describe("judgeWindows", () => {
  it.each([
    ["no window at all is always", undefined, "2030-01-01T00:00:00Z", { kind: "open", untilMs: Infinity }],
    ["an empty list as well", [], "2030-01-01T00:00:00Z", { kind: "open", untilMs: Infinity }],
    ["the next one", [night], "2030-01-01T00:00:00Z", opens("2030-01-05T01:00:00Z")],
    ["its first moment", [night], "2030-01-05T01:00:00Z", until("2030-01-05T03:00:00Z")],
    ["its last moment is outside", [night], "2030-01-05T03:00:00Z", opens("2030-01-12T01:00:00Z")],
    [
      "every day, over midnight",
      [{ start: "23:30", durationMinutes: 60 }],
      "2030-01-03T00:10:00Z",
      until("2030-01-03T00:30:00Z"),
    ],
    [
      "windows that touch are one",
      [
        { start: "01:00", durationMinutes: 60 },
        { start: "02:00", durationMinutes: 30 },
      ],
      "2030-01-03T01:10:00Z",
      until("2030-01-03T02:30:00Z"),
    ],
    [
      "longer than a day",
      [{ days: ["Fri" as const], start: "18:00", durationMinutes: 60 * 60, timeZone: "America/New_York" }],
      "2030-01-06T22:00:00Z",
      until("2030-01-07T11:00:00Z"),
    ],
    [
      "a weekday counts where the clock hangs",
      [{ days: ["Mon" as const], start: "00:30", durationMinutes: 30, timeZone: "Pacific/Auckland" }],
      "2030-01-06T11:45:00Z",
      until("2030-01-06T12:00:00Z"),
    ],
    [
      "a time zone that nobody knows never opens",
      [{ start: "02:00", durationMinutes: 60, timeZone: "Mars/Olympus" }],
      "2030-01-06T02:10:00Z",
      { kind: "closed", opensAtMs: undefined },
    ],
  ])("%s", (_name, windows, now, verdict) => {
    expect(judgeWindows(windows, at(now))).toEqual(verdict);
  });

  const daily = { start: "02:30", durationMinutes: 60, timeZone: "Europe/Berlin" };

  it("takes a skipped time as long after the change as it would have been", () => {
    // 2030-03-31: from 02:00 to 03:00 in Berlin.
    expect(judgeWindows([daily], at("2030-03-31T00:00:00Z"))).toEqual(opens("2030-03-31T01:30:00Z"));
    expect(judgeWindows([daily], at("2030-03-31T01:40:00Z"))).toEqual(until("2030-03-31T02:30:00Z"));
    expect(judgeWindows([daily], at("2030-03-31T03:00:00Z"))).toEqual(opens("2030-04-01T00:30:00Z"));
  });

  it("opens once at a time that comes twice", () => {
    // 2030-10-27: from 03:00 to 02:00 in Berlin.
    expect(judgeWindows([daily], at("2030-10-27T00:00:00Z"))).toEqual(opens("2030-10-27T00:30:00Z"));
    expect(judgeWindows([daily], at("2030-10-27T01:35:00Z"))).toEqual(opens("2030-10-28T01:30:00Z"));
  });

  it("opens at the moment that it named, and closes at that which it named, whatever the zone and the season", () => {
    const zone = fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe");
    const moment = fc.integer({ min: at("2028-01-01T00:00:00Z"), max: at("2032-01-01T00:00:00Z") });
    const start = fc
      .tuple(fc.nat(23), fc.nat(59))
      .map((parts) => parts.map((part) => String(part).padStart(2, "0")).join(":"));
    fc.assert(
      fc.property(zone, moment, start, fc.integer({ min: 1, max: 1_200 }), (timeZone, now, from, durationMinutes) => {
        const windows = [{ start: from, durationMinutes, timeZone }];
        const verdict = judgeWindows(windows, now);
        const changesAt = verdict.kind === "open" ? verdict.untilMs : (verdict.opensAtMs ?? Number.NaN);
        expect(changesAt - now).toBeLessThanOrEqual(25 * 3_600_000);
        expect(judgeWindows(windows, changesAt).kind).not.toBe(verdict.kind);
        expect(judgeWindows(windows, changesAt - 1).kind).toBe(verdict.kind);
      }),
      { numRuns: 150, seed: 5 },
    );
  });
});
