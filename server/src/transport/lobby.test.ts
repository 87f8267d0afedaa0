import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { AdmissionRate } from "./admission-rate.ts";
import { Lobby } from "./lobby.ts";
import type { Arriving, LobbySettings } from "./lobby.ts";

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

function stage(change: Partial<LobbySettings> = {}, slots = Infinity) {
  const taken: { readonly at: number; readonly name: string }[] = [];
  const refused: { readonly name: string; readonly code: string; readonly retryAfterMs: number }[] = [];
  const gone = new Set<string>();
  const free = { slots };
  const lobby = new Lobby({
    settings: { brakeWaitMs: 1_000, slotWaitMs: 0, perSecond: 100, ...change },
    facts: () => ({ nowMs: Date.now(), activeMs: 0 }),
    hasSlot: () => free.slots > 0,
  });
  const visitor = (name: string): Arriving => ({
    isGone: () => gone.has(name),
    take: () => {
      free.slots -= 1;
      taken.push({ at: Date.now(), name });
    },
    refuse: (code, retryAfterMs) => refused.push({ name, code, retryAfterMs }),
  });
  const arrive = (count: number, from = 0) => {
    for (let n = from; n < from + count; n += 1) lobby.arrive(visitor(`c${n}`));
  };
  return { lobby, taken, refused, gone, free, visitor, arrive };
}

describe("the lobby", () => {
  it("lets few in at once, the next ones at the rate and in their order, and tells the rest when to come", () => {
    const { taken, refused, arrive } = stage();
    arrive(500);
    expect(taken).toHaveLength(20);
    // Those who wait, and those sent away before, come before it.
    expect(refused).toHaveLength(500 - 20 - 100);
    expect(refused[0]).toMatchObject({ code: "busy", retryAfterMs: Math.round((101 / 100) * 1.25 * 1_000) });
    expect(refused.at(-1)?.retryAfterMs).toBe(Math.round((480 / 100) * 1.25 * 1_000));
    vi.advanceTimersByTime(500);
    expect(taken.length).toBeGreaterThanOrEqual(20 + 48);
    expect(taken.length).toBeLessThanOrEqual(20 + 51);
    vi.advanceTimersByTime(1_000);
    const names = taken.map(({ name }) => name);
    expect(names).toEqual(names.toSorted((a, b) => Number(a.slice(1)) - Number(b.slice(1))));
    // Who did not get in within the second was told so.
    expect(taken.length + refused.length).toBe(500);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("refuses at once where nobody may wait", () => {
    const { taken, refused, arrive } = stage({ brakeWaitMs: 0 });
    arrive(25);
    expect([taken.length, refused.length]).toEqual([20, 5]);
  });

  it("spends no turn on those who have gone, and forgets its window when they are back", () => {
    const { taken, gone, arrive, lobby } = stage();
    arrive(40);
    for (let n = 20; n < 39; n += 1) gone.add(`c${n}`);
    vi.advanceTimersByTime(20);
    expect(taken.at(-1)?.name).toBe("c39");
    expect(lobby.windowMs()).toBe(0);
    arrive(500, 100);
    expect(lobby.windowMs()).toBeGreaterThan(3_000);
    vi.advanceTimersByTime(60_000);
    expect(lobby.windowMs()).toBe(0);
  });

  it("does not hold back those who were let in before", () => {
    const { taken, lobby, visitor, arrive } = stage();
    arrive(100);
    lobby.bypass(visitor("moved"));
    expect(taken.at(-1)).toEqual({ at: 0, name: "moved" });
  });

  it("makes no burst of the time in which the process stood still", () => {
    const { taken, arrive, lobby } = stage({ perSecond: 1_000 });
    arrive(900);
    const before = taken.length;
    // One timer that comes 700 ms late.
    vi.setSystemTime(700);
    vi.advanceTimersToNextTimer();
    expect(taken.length - before).toBeLessThanOrEqual(26);
    expect(lobby.waiting).toBeGreaterThan(800);
  });

  it("waits for a free slot as long as it was told to", () => {
    const { taken, refused, arrive, free, lobby } = stage({ slotWaitMs: 300 }, 2);
    arrive(5);
    expect([taken.length, refused.length, lobby.waiting]).toEqual([2, 0, 3]);
    vi.advanceTimersByTime(100);
    free.slots = 1;
    lobby.slotFreed();
    expect(taken.map(({ name }) => name)).toEqual(["c0", "c1", "c2"]);
    vi.advanceTimersByTime(300);
    expect(refused.map(({ name, code }) => [name, code])).toEqual([
      ["c3", "full"],
      ["c4", "full"],
    ]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("answers everybody once, however they come", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ count: fc.nat(60), pauseMs: fc.nat(400) }), { maxLength: 12 }),
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 0, max: 900 }),
        (waves, perSecond, waitMs) => {
          const { taken, refused, arrive } = stage({ perSecond, brakeWaitMs: waitMs, slotWaitMs: waitMs }, 200);
          let sent = 0;
          for (const { count, pauseMs } of waves) {
            arrive(count, sent);
            sent += count;
            vi.advanceTimersByTime(pauseMs);
          }
          vi.advanceTimersByTime(4_000);
          const answered = [...taken, ...refused].map(({ name }) => name);
          expect(new Set(answered).size).toBe(answered.length);
          expect(answered).toHaveLength(sent);
          expect(taken.length).toBeLessThanOrEqual(200);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("refuses those who wait when the server ends", () => {
    const { refused, lobby, arrive } = stage();
    arrive(30);
    lobby.stop();
    expect(refused).toHaveLength(10);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("the rate of admission", () => {
  /** A storm in which each arrival costs `costMs` beside other work that takes `busy` of the time. */
  function after(costMs: number, busy: number, lateMs = 0): number {
    let [nowMs, activeMs] = [0, 0];
    const rate = new AdmissionRate({ nowMs, activeMs });
    for (let second = 0; second < 60; second += 1) {
      nowMs += 1_000;
      activeMs += busy * 1_000;
      rate.sample({ nowMs, activeMs });
    }
    for (let step = 0; step < 100; step += 1) {
      const arrivals = Math.round(rate.perSecond / 10);
      for (let n = 0; n < arrivals; n += 1) rate.arrived();
      nowMs += 100;
      activeMs += Math.min(100, busy * 100 + arrivals * costMs);
      rate.wasLate(lateMs);
      rate.sample({ nowMs, activeMs });
    }
    return rate.perSecond;
  }

  it("is seven tenths of what is free, by what an arrival costs", () => {
    expect(after(0.25, 0)).toBeCloseTo(2_800, -2);
    expect(after(1, 0)).toBeCloseTo(700, -2);
    expect(after(1, 0.5)).toBeCloseTo(350, -1);
  });

  it("falls while timers come late, whatever was measured, and never to nothing", () => {
    expect(after(0.25, 0, 100)).toBeCloseTo(0.4 * 2_800, -2);
  });

  it("does not learn from a handful", () => {
    const rate = new AdmissionRate({ nowMs: 0, activeMs: 0 });
    const before = rate.perSecond;
    for (let n = 0; n < 5; n += 1) rate.arrived();
    rate.sample({ nowMs: 1_000, activeMs: 900 });
    expect(rate.perSecond).toBe(before);
  });
});
