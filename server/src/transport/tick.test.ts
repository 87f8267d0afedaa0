import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { joinFrames } from "./joined-frames.ts";
import { OutputTick, windowFor } from "./tick.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A tick over a clock that only flushing moves on. */
function stage(costMs: number) {
  const clock = { ms: 1_000 };
  const log: string[] = [];
  const tick = new OutputTick(() => clock.ms);
  const socket = (name: string) => ({ flush: () => void log.push(name) });
  const channel = (name: string, members: readonly string[]) => ({
    flush() {
      log.push(name);
      clock.ms += costMs;
      for (const member of members) tick.markSocket(socket(member));
    },
  });
  const pass = (ms: number) => {
    clock.ms += ms;
    vi.advanceTimersByTime(ms);
  };
  return { tick, log, channel, socket, pass };
}

describe("windowFor", () => {
  it("is nothing while writing is cheap, as long as the cost then, and bounded", () => {
    expect([0, 0.9, 1, 5, 100].map(windowFor)).toEqual([0, 0, 1, 5, 20]);
  });
});

describe("OutputTick", () => {
  it("waits for nothing while writing is cheap", () => {
    const { tick, log, channel, pass } = stage(0.1);
    for (let n = 0; n < 3; n += 1) {
      tick.markChannel(channel("room", ["ann"]));
      pass(0);
      expect(log.splice(0)).toEqual(["room", "ann"]);
    }
  });

  it("lets channels gather after a turn that cost much, and sends all in one turn", () => {
    const { tick, log, channel, pass } = stage(6);
    tick.markChannel(channel("room", ["ann"]));
    pass(0);
    expect(log.splice(0)).toEqual(["room", "ann"]);
    tick.markChannel(channel("room", ["ann"]));
    pass(3);
    tick.markChannel(channel("hall", ["bob"]));
    expect(log).toEqual([]);
    pass(3);
    expect(log.splice(0)).toEqual(["room", "hall", "ann", "bob"]);
  });

  it("sends answers to one client at once meanwhile", () => {
    const { tick, log, channel, socket, pass } = stage(6);
    tick.markChannel(channel("room", ["ann"]));
    pass(0);
    log.length = 0;
    tick.markChannel(channel("room", ["ann"]));
    tick.markSocket(socket("answer"));
    pass(0);
    expect(log.splice(0)).toEqual(["answer"]);
    pass(6);
    expect(log).toEqual(["room", "ann"]);
  });

  it("never waits without a clock", () => {
    const tick = new OutputTick();
    const log: string[] = [];
    tick.markChannel({ flush: () => void log.push("room") });
    vi.advanceTimersByTime(0);
    expect(log).toEqual(["room"]);
  });

  it("loses and repeats nothing in any order of marks and turns", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom("channel", "socket", "run"), fc.nat(8)), { maxLength: 40 }),
        (steps) => {
          const { tick, log, channel, socket, pass } = stage(1);
          const wanted: string[] = [];
          for (const [index, [what, ms]] of steps.entries()) {
            if (what === "channel") {
              wanted.push(`c${index}`, `m${index}`);
              tick.markChannel(channel(`c${index}`, [`m${index}`]));
            } else if (what === "socket") {
              wanted.push(`s${index}`);
              tick.markSocket(socket(`s${index}`));
            } else tick.run();
            pass(ms);
          }
          pass(100);
          expect(log.toSorted()).toEqual(wanted.toSorted());
        },
      ),
    );
  });
});

describe("joinFrames", () => {
  const frames = [Buffer.from("one"), Buffer.from("two")];

  it("shares one buffer between equal lists of the very same frames", () => {
    const first = joinFrames(frames, 6, undefined);
    expect(first?.buffer.toString()).toBe("onetwo");
    expect(joinFrames([...frames], 6, first)?.buffer).toBe(first?.buffer);
  });

  it("makes another one for another order, length or content", () => {
    const first = joinFrames(frames, 6, undefined);
    const [one = Buffer.alloc(0), two = Buffer.alloc(0)] = frames;
    for (const other of [
      [two, one],
      [one, two, one],
      [one, Buffer.from("two")],
    ]) {
      const bytes = other.reduce((sum, { length }) => sum + length, 0);
      const joined = joinFrames(other, bytes, first);
      expect(joined?.buffer).not.toBe(first?.buffer);
      expect(joined?.buffer).toEqual(Buffer.concat(other));
    }
  });

  it("copies nothing large", () => {
    expect(joinFrames([Buffer.alloc(10_000), Buffer.alloc(10_000)], 20_000, undefined)).toBeUndefined();
  });
});
