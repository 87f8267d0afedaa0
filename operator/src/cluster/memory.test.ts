import { describe, expect, it } from "vitest";
import { GRANT_WINDOW_MS, paceLimitsOf } from "../moves/limits.ts";
import { ClusterMemory } from "./memory.ts";

const TEN = paceLimitsOf({ maxPerSecond: 10 });
const grant = (count: number) => ({ source: "a", targets: [{ pod: "t", count }] });

describe("the budget", () => {
  it("is empty for one longest window after a new leader begins, and only then fills", () => {
    const memory = new ClusterMemory(0);
    expect(memory.facts(GRANT_WINDOW_MS, TEN).tokens).toBe(0);
    expect(memory.facts(GRANT_WINDOW_MS + 500, TEN).tokens).toBe(5);
    expect(memory.facts(60_000, TEN).tokens).toBe(10);
  });

  it("is debited when a grant is sent, and refuses what it does not hold", () => {
    const memory = new ClusterMemory(0);
    expect(memory.spend(grant(11), 60_000, TEN)).toBe(false);
    expect(memory.spend(grant(7), 60_000, TEN)).toBe(true);
    expect(memory.spend(grant(4), 60_000, TEN)).toBe(false);
    expect(memory.facts(60_000, TEN)).toMatchObject({ tokens: 3, grants: [{ source: "a", sentAtMs: 60_000 }] });
    expect(memory.facts(62_000, TEN).grants).toEqual([]);
  });

  it("never lets more than the rate through in any window", () => {
    const memory = new ClusterMemory(0);
    let sent = 0;
    for (let nowMs = 60_000; nowMs < 70_000; nowMs += 100) if (memory.spend(grant(3), nowMs, TEN)) sent += 3;
    expect(sent).toBeLessThanOrEqual(10 + 10 * 10);
    expect(sent).toBeGreaterThan(95);
  });
});

const NO_ENDINGS = { isFrozen: false, pods: [] };

describe("what ended while the store was away", () => {
  const see = (memory: ClusterMemory, isFrozen: boolean, pods: { uid: string; connections: number }[]) =>
    memory.observe({ progress: undefined, endings: { isFrozen, pods } }, 0);

  it("is what was last seen on the pods that are gone, and nothing of those that could move again", () => {
    const memory = new ClusterMemory(0);
    see(memory, false, [{ uid: "before", connections: 50 }]);
    see(memory, true, [
      { uid: "a", connections: 40 },
      { uid: "b", connections: 9 },
    ]);
    see(memory, true, [
      { uid: "a", connections: 30 },
      { uid: "b", connections: 9 },
    ]);
    see(memory, true, [{ uid: "b", connections: 9 }]);
    expect(memory.facts(0, TEN).cutUnderFreeze).toBe(30);
    see(memory, false, [{ uid: "b", connections: 9 }]);
    see(memory, false, []);
    expect(memory.facts(0, TEN).cutUnderFreeze).toBe(30);
  });
});

describe("progress", () => {
  const at = (memory: ClusterMemory, left: number, nowMs: number, held = false, of = "r/1 move") =>
    memory.observe({ progress: { of, left, held }, endings: NO_ENDINGS }, nowMs);

  it("is the time since there was less to do than ever", () => {
    const memory = new ClusterMemory(0);
    at(memory, 100, 1_000);
    at(memory, 80, 2_000);
    // More again, and back to where it was: that is no progress.
    at(memory, 90, 3_000);
    at(memory, 80, 4_000);
    expect(memory.facts(5_000, TEN).progress).toEqual({ of: "r/1 move", sinceMs: 2_000 });
    expect(memory.facts(5_000, TEN).movedPerSecond).toBeCloseTo(20 / 3);
  });

  it("does not run while moves are held, and begins anew with each step", () => {
    const memory = new ClusterMemory(0);
    at(memory, 100, 1_000);
    at(memory, 100, 9_000, true);
    expect(memory.facts(9_000, TEN).progress?.sinceMs).toBe(9_000);
    at(memory, 100, 12_000, false, "r/2 move");
    expect(memory.facts(12_000, TEN).progress).toEqual({ of: "r/2 move", sinceMs: 12_000 });
    memory.observe({ progress: undefined, endings: NO_ENDINGS }, 13_000);
    expect(memory.facts(13_000, TEN).progress).toBe(undefined);
  });
});
