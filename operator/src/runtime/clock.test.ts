import { describe, expect, it } from "vitest";
import { sleep, systemClock } from "./clock.ts";
import { FakeClock } from "./fake-clock.ts";

describe("FakeClock", () => {
  it("fires timers in the order of their time and lets promises run between", async () => {
    const clock = new FakeClock(5000);
    const story: string[] = [];
    clock.startTimer(30, () => story.push(`c@${clock.monotonicMs()}`));
    clock.startTimer(10, () => {
      story.push(`a@${clock.monotonicMs()}`);
      void sleep(clock, 10).then(() => story.push(`b@${clock.nowMs() - 5000}`));
    });
    clock.startTimer(20, () => story.push("never")).cancel();
    await clock.advance(30);
    expect(story).toEqual(["a@10", "b@20", "c@30"]);
    expect(clock.timerCount).toBe(0);
  });

  it("jumps the wall clock alone", () => {
    const clock = new FakeClock(1000);
    clock.jumpWallClock(-400);
    expect([clock.nowMs(), clock.monotonicMs()]).toEqual([600, 0]);
  });
});

describe("sleep", () => {
  it("ends early on abort and leaves no timer", async () => {
    const clock = new FakeClock();
    const abort = new AbortController();
    const sleeping = sleep(clock, 1000, abort.signal);
    abort.abort();
    expect(await sleeping).toBe(false);
    expect(clock.timerCount).toBe(0);
    expect(await sleep(clock, 1000, abort.signal)).toBe(false);
  });
});

describe("systemClock", () => {
  it("does not turn a very long delay into none", async () => {
    let fired = false;
    const timer = systemClock.startTimer(2 ** 40, () => (fired = true));
    await sleep(systemClock, 20);
    timer.cancel();
    expect(fired).toBe(false);
  });

  it("fires and cancels", async () => {
    let fired = 0;
    systemClock.startTimer(1, () => fired++).cancel();
    expect(await sleep(systemClock, 5)).toBe(true);
    expect(fired).toBe(0);
  });
});
