import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeClock } from "../runtime/index.ts";
import { type AdmissionProxy, EdgeBrake, type ProxyAdmission, windowFor } from "./brake.ts";

describe("windowFor", () => {
  it.each([
    ["no storm", 500, 0, 100, 0],
    ["no limit", 500, 50, 0, 0],
    ["1,000 are missing, 100 a second may come", 1_000, 400, 100, 12_500],
    ["nobody was here before: those who come now", 0, 400, 100, 5_000],
    ["few", 5, 1, 100, 3_000],
    ["never more than five minutes", 1_000_000, 400, 100, 300_000],
  ])("%s", (_what, missing, refused, limit, windowMs) => {
    expect(windowFor(missing, refused, limit)).toBe(windowMs);
  });
});

describe("the brake", () => {
  let clock: FakeClock;
  let brake: EdgeBrake;
  let wanted: number | undefined;
  let now: { limitPerSecond: number; admittedPerSecond: number; refusedPerSecond: number };
  let answer: () => Promise<ProxyAdmission>;
  let connections: number;
  let set: string[];
  const proxy: AdmissionProxy = {
    readAdmission: () => answer(),
    setAdmission(numbers) {
      now.limitPerSecond = numbers.limitPerSecond;
      set.push(`${numbers.limitPerSecond}/${numbers.windowMs}`);
      return Promise.resolve();
    },
    read: () => Promise.resolve({ connections }),
  };

  beforeEach(() => {
    clock = new FakeClock();
    wanted = 100;
    now = { limitPerSecond: 0, admittedPerSecond: 0, refusedPerSecond: 0 };
    answer = () => Promise.resolve({ ...now });
    connections = 1_000;
    set = [];
    const log = { debug: () => undefined, info: () => undefined, warn: () => undefined };
    brake = new EdgeBrake({ proxy, wanted: () => wanted, clock, log });
    brake.start();
  });
  afterEach(() => brake.stop());

  it("sets the limit once, and again after the proxy forgot it", async () => {
    await clock.advance(5_000);
    expect(set).toEqual(["100/0"]);
    now.limitPerSecond = 0;
    await clock.advance(1_000);
    expect(set).toEqual(["100/0", "100/0"]);
  });

  it("gives a window in a storm that fits those who are missing, and takes it back", async () => {
    await clock.advance(2_000);
    connections = 200;
    now.refusedPerSecond = 300;
    await clock.advance(1_000);
    expect(set.at(-1)).toBe("100/10000");
    expect(brake.state).toEqual({ limitPerSecond: 100, admittedPerSecond: 0, refusedPerSecond: 300, windowMs: 10_000 });
    connections = 1_000;
    now.refusedPerSecond = 0;
    await clock.advance(1_000);
    expect(set.at(-1)).toBe("100/0");
  });

  it("takes the limit away that nobody wants any more, also one of an agent before it", async () => {
    wanted = undefined;
    now.limitPerSecond = 50;
    await clock.advance(1_000);
    expect(set).toEqual(["0/0"]);
    expect(brake.state).toBe(undefined);
    await clock.advance(10_000);
    expect(set).toHaveLength(1);
  });

  it("says nothing where the proxy is older or away, and is there when it is back", async () => {
    answer = () => Promise.resolve("unsupported");
    await clock.advance(2_000);
    expect([brake.state, set]).toEqual([undefined, []]);
    answer = () => Promise.reject(new Error("away"));
    await clock.advance(2_000);
    answer = () => Promise.resolve({ ...now });
    await clock.advance(1_000);
    expect(brake.state?.limitPerSecond).toBe(100);
  });
});
