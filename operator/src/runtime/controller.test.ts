import { afterEach, describe, expect, it } from "vitest";
import { Controller, type ControllerOptions, type PassReport, type ReconcileResult } from "./controller.ts";
import { FakeClock } from "./fake-clock.ts";

let controller: Controller;
let clock: FakeClock;
let reports: PassReport[];

afterEach(() => controller.stop());

function begin(reconcile: ControllerOptions["reconcile"], more: Partial<ControllerOptions> = {}): void {
  clock = new FakeClock();
  reports = [];
  const onPass = (report: PassReport): void => void reports.push(report);
  controller = new Controller({ name: "test", clock, random: () => 0, reconcile, onPass, ...more });
  controller.start();
}

const done: ReconcileResult = { kind: "done" };

describe("Controller", () => {
  it("passes each key once and is quiet after", async () => {
    begin(() => Promise.resolve(done));
    controller.enqueue("a");
    controller.enqueue("b");
    await clock.advance(3_600_000);
    expect(reports.map((report) => `${report.key} ${report.outcome}`)).toEqual(["a success", "b success"]);
  });

  it("retries with growing delays, keeps other keys going, and forgets the failures on success", async () => {
    let broken = true;
    const seen: string[] = [];
    begin((key, { failures }) => {
      seen.push(`${key}${failures}@${clock.monotonicMs()}`);
      return key === "bad" && broken ? Promise.reject(new Error("no")) : Promise.resolve(done);
    });
    controller.enqueue("bad");
    controller.enqueue("good");
    await clock.advance(350);
    expect(seen).toEqual(["bad0@0", "good0@0", "bad1@100", "bad2@300"]);
    expect(reports[2]).toMatchObject({ key: "bad", outcome: "error", retryInMs: 200 });
    broken = false;
    await clock.advance(400);
    controller.enqueue("bad");
    await clock.advance(1);
    expect(seen.slice(4)).toEqual(["bad3@700", "bad0@750"]);
  });

  it("treats a synchronous throw like any failure", async () => {
    begin(() => {
      throw new Error("at once");
    });
    controller.enqueue("a");
    await clock.advance(0);
    expect(reports).toMatchObject([{ outcome: "error" }]);
  });

  it.each([
    [-5, 100],
    [0, 100],
    [Number.NaN, 100],
    [2500, 2500],
  ])("requeues after %d ms not sooner than %d", async (requeueAfterMs, expected) => {
    let passes = 0;
    begin(() => Promise.resolve(passes++ === 0 ? { kind: "done", requeueAfterMs } : done));
    controller.enqueue("a");
    await clock.advance(expected - 1);
    expect(passes).toBe(1);
    await clock.advance(1);
    expect(passes).toBe(2);
    expect(reports[0]).toMatchObject({ outcome: "requeue_after", retryInMs: expected });
  });

  it("does not retry what is terminal", async () => {
    begin(() => Promise.resolve({ kind: "terminal", reason: "invalid" }));
    controller.enqueue("a");
    await clock.advance(3_600_000);
    expect(reports).toMatchObject([{ outcome: "terminal", error: "invalid" }]);
  });

  it("never runs one key twice at a time, but runs it again when asked meanwhile", async () => {
    const open: (() => void)[] = [];
    let running = 0;
    begin(
      () =>
        new Promise((resolve) => {
          expect(++running).toBe(1);
          open.push(() => {
            running--;
            resolve(done);
          });
        }),
    );
    controller.enqueue("a");
    await clock.advance(0);
    controller.enqueue("a");
    await clock.advance(0);
    expect(open).toHaveLength(1);
    open[0]?.();
    await clock.advance(0);
    expect(open).toHaveLength(2);
    open[1]?.();
  });

  it("limits parallel passes to its workers", async () => {
    const open: (() => void)[] = [];
    begin(() => new Promise((resolve) => open.push(() => resolve(done))), { workers: 2 });
    for (const key of ["a", "b", "c"]) controller.enqueue(key);
    await clock.advance(0);
    expect([open.length, controller.activeWorkers, controller.depth]).toEqual([2, 2, 1]);
    for (let i = 0; i < 3; i++) {
      open[i]?.();
      await clock.advance(0);
    }
    expect(reports).toHaveLength(3);
  });

  it("aborts a pass that takes too long", async () => {
    begin(
      (_, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("cut")))),
      { passTimeoutMs: 500 },
    );
    controller.enqueue("a");
    await clock.advance(499);
    expect(reports).toHaveLength(0);
    await clock.advance(1);
    expect(reports).toMatchObject([{ outcome: "error", durationMs: 500 }]);
  });

  it("stops gracefully: running passes are told and waited for, no new one begins", async () => {
    let ended = false;
    begin(async (_, { signal }) => {
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      await Promise.resolve();
      ended = true;
      return done;
    });
    controller.enqueue("a");
    await clock.advance(0);
    controller.enqueue("a");
    await controller.stop();
    expect(ended).toBe(true);
    await clock.advance(3_600_000);
    expect(reports).toHaveLength(1);
    expect(clock.timerCount).toBe(0);
  });

  it("adds all keys now and then, behind real changes", async () => {
    const seen: string[] = [];
    begin(
      (key) => {
        seen.push(key);
        return Promise.resolve(done);
      },
      { workers: 1, resync: { everyMs: 1000, keys: () => ["a", "b"] } },
    );
    await clock.advance(899);
    expect(seen).toEqual([]);
    await clock.advance(1);
    expect(seen).toEqual(["a", "b"]);
    await clock.advance(900);
    expect(seen).toEqual(["a", "b", "a", "b"]);
  });

  it("lets a real change overtake a resync", async () => {
    const open: (() => void)[] = [];
    begin(() => new Promise((resolve) => open.push(() => resolve(done))), {
      workers: 1,
      resync: { everyMs: 1000, keys: () => ["a", "b"] },
    });
    controller.enqueue("busy");
    await clock.advance(900);
    controller.enqueue("changed");
    for (let i = 0; i < 4; i++) {
      open[i]?.();
      await clock.advance(0);
    }
    expect(reports.map((report) => report.key)).toEqual(["busy", "changed", "a", "b"]);
  });

  it("goes on when a hook throws", async () => {
    let passes = 0;
    begin(
      () => {
        passes++;
        return Promise.resolve(done);
      },
      {
        onPass: () => {
          throw new Error("metrics");
        },
      },
    );
    controller.enqueue("a");
    await clock.advance(0);
    controller.enqueue("a");
    await clock.advance(0);
    expect(passes).toBe(2);
  });
});
