import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FakeClock } from "./fake-clock.ts";
import { KeyedQueue } from "./queue.ts";

async function drain(queue: KeyedQueue): Promise<string[]> {
  const keys: string[] = [];
  while (queue.depth > 0) {
    const key = await queue.take();
    if (key === undefined) break;
    keys.push(key);
    queue.done(key);
  }
  return keys;
}

describe("KeyedQueue", () => {
  it("holds a key once, in order of arrival, higher priority first", async () => {
    const queue = new KeyedQueue(new FakeClock());
    for (const key of ["a", "b", "a", "c"]) queue.add(key);
    queue.add("d", { priority: 5 });
    queue.add("c", { priority: 9 });
    queue.add("b", { priority: -3 });
    expect(queue.depth).toBe(4);
    expect(await drain(queue)).toEqual(["c", "d", "a", "b"]);
  });

  it("gives a key that is being worked on to nobody else, and again after it is done", async () => {
    const queue = new KeyedQueue(new FakeClock());
    queue.add("a");
    expect(await queue.take()).toBe("a");
    queue.add("a");
    queue.add("a", { priority: 2 });
    queue.add("b", { priority: 1 });
    expect(queue.depth).toBe(1);
    expect(await queue.take()).toBe("b");
    queue.done("a");
    expect(await queue.take()).toBe("a");
    queue.done("a");
    expect(queue.depth).toBe(0);
  });

  it("delays, the earliest time counts, one timer for all", async () => {
    const clock = new FakeClock();
    const queue = new KeyedQueue(clock);
    queue.addAfter("a", 500);
    queue.addAfter("a", 300);
    queue.addAfter("a", 900);
    queue.addAfter("b", 400, { priority: 1 });
    queue.addAfter("now", 0);
    expect(clock.timerCount).toBe(1);
    expect(await drain(queue)).toEqual(["now"]);
    await clock.advance(299);
    expect(queue.depth).toBe(0);
    await clock.advance(1);
    expect(await drain(queue)).toEqual(["a"]);
    await clock.advance(100);
    expect(await drain(queue)).toEqual(["b"]);
    await clock.advance(10_000);
    expect(queue.depth).toBe(0);
    expect(clock.timerCount).toBe(0);
  });

  it("wakes a waiting worker, and all of them with nothing when it closes", async () => {
    const clock = new FakeClock();
    const queue = new KeyedQueue(clock);
    const [first, second] = [queue.take(), queue.take()];
    queue.addAfter("a", 10);
    await clock.advance(10);
    expect(await first).toBe("a");
    queue.addAfter("b", 10);
    queue.close();
    expect(await second).toBeUndefined();
    expect(await queue.take()).toBeUndefined();
    queue.add("c");
    queue.done("a");
    expect([queue.depth, queue.delayedCount, clock.timerCount]).toEqual([0, 0, 0]);
  });

  it("reports depth and waiting time", async () => {
    const clock = new FakeClock();
    const waits: number[] = [];
    const depths: number[] = [];
    const queue = new KeyedQueue(clock, { onTaken: (_, ms) => waits.push(ms), onDepth: (depth) => depths.push(depth) });
    queue.add("a");
    await clock.advance(70);
    await queue.take();
    expect(waits).toEqual([70]);
    expect(depths).toEqual([1, 0]);
  });
});

// Any mix of adds, delayed adds, takes, dones and time: no key in two hands, no add without a later pass.
it("never has two workers on a key and loses nothing", async () => {
  const key = fc.constantFrom("a", "b", "c");
  const step = fc.oneof(
    fc.record({ do: fc.constant("add" as const), key, priority: fc.integer({ min: -2, max: 2 }) }),
    fc.record({ do: fc.constant("addAfter" as const), key, ms: fc.integer({ min: -5, max: 50 }) }),
    fc.record({ do: fc.constant("take" as const) }),
    fc.record({ do: fc.constant("done" as const), key }),
    fc.record({ do: fc.constant("advance" as const), ms: fc.integer({ min: 0, max: 40 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const clock = new FakeClock();
      const queue = new KeyedQueue(clock);
      const held = new Set<string>();
      const violations: string[] = [];
      // Asked for and not begun yet; and what will be asked for at a later time (the earliest counts).
      const owed = new Set<string>();
      const delayed = new Map<string, number>();
      const moveDue = (): void => {
        for (const [name, atMs] of delayed) {
          if (atMs > clock.monotonicMs()) continue;
          delayed.delete(name);
          owed.add(name);
        }
      };
      const takes: Promise<void>[] = [];
      const take = (): void => {
        takes.push(
          queue.take().then((taken) => {
            if (taken === undefined) return;
            if (held.has(taken)) violations.push(`${taken} is in two hands`);
            held.add(taken);
            moveDue();
            if (!owed.delete(taken)) violations.push(`nobody asked for ${taken}`);
          }),
        );
      };
      for (const s of steps) {
        moveDue();
        if (s.do === "add") {
          owed.add(s.key);
          queue.add(s.key, { priority: s.priority });
        } else if (s.do === "addAfter") {
          if (s.ms <= 0) owed.add(s.key);
          else delayed.set(s.key, Math.min(delayed.get(s.key) ?? Infinity, clock.monotonicMs() + s.ms));
          queue.addAfter(s.key, s.ms);
        } else if (s.do === "take") take();
        else if (s.do === "done") {
          if (held.delete(s.key)) queue.done(s.key);
        } else await clock.advance(s.ms);
        await Promise.resolve();
        await Promise.resolve();
      }
      // Workers that finish everything: whatever was asked for is handed out.
      for (let round = 0; round < 8; round++) {
        for (const name of [...held]) {
          held.delete(name);
          queue.done(name);
        }
        take();
        await clock.advance(100);
      }
      moveDue();
      expect(violations).toEqual([]);
      expect([...owed]).toEqual([]);
      expect(queue.depth).toBe(0);
      expect(queue.delayedCount).toBe(0);
      queue.close();
      await Promise.all(takes);
    }),
    { numRuns: 200 },
  );
});
