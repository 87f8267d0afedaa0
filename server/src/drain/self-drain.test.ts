import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PodEntry } from "../broker/port.ts";
import { cutAfterMs, drainTargets, drainWindowMs, peersAdmission } from "./self-drain.ts";

const peer = (key: string, change: Partial<PodEntry> = {}): PodEntry => ({
  key,
  mode: "active",
  sealed: false,
  terminating: false,
  gone: false,
  capacity: 100,
  connections: 0,
  silentMs: 100,
  ...change,
});

describe("peersAdmission", () => {
  it("sums what those bear who stay, and takes our own rate where none is known", () => {
    const pods = [
      peer("self", { admissionPerSecond: 9 }),
      peer("a", { admissionPerSecond: 300 }),
      peer("old"),
      peer("dead", { silentMs: 60_000, admissionPerSecond: 500 }),
    ];
    expect(peersAdmission("self", pods, 50)).toBe(350);
    expect(peersAdmission("self", pods.slice(0, 1), 50)).toBe(50);
  });
});

describe("drainTargets", () => {
  it("are the living peers with room that take new connections", () => {
    const pods = [
      peer("self"),
      peer("good", { connections: 40 }),
      peer("full", { connections: 100 }),
      peer("old", { mode: "none" }),
      peer("preview", { mode: "preview" }),
      peer("going", { terminating: true }),
      peer("sealed", { sealed: true }),
      peer("gone", { gone: true }),
      peer("dead", { silentMs: 60_000 }),
    ];
    expect(drainTargets("self", pods, 10)).toEqual([{ pod: "good", count: 10 }]);
    expect(drainTargets("self", pods, 1_000)).toEqual([{ pod: "good", count: 60 }]);
    expect(drainTargets("good", [peer("good")], 10)).toEqual([]);
  });

  it("never pass a peer's room and use all that is needed", () => {
    const rooms = fc.array(fc.record({ capacity: fc.nat(500), connections: fc.nat(500) }), { maxLength: 8 });
    fc.assert(
      fc.property(rooms, fc.nat(2_000), (list, count) => {
        const pods = list.map((entry, n) => peer(`p${n}`, entry));
        const targets = drainTargets("self", pods, count);
        const room = (key: string) => {
          const pod = pods.find((one) => one.key === key);
          return pod ? pod.capacity - pod.connections : 0;
        };
        for (const target of targets) expect(target.count).toBeLessThanOrEqual(room(target.pod));
        const total = pods.reduce((sum, { key }) => sum + Math.max(0, room(key)), 0);
        expect(targets.reduce((sum, target) => sum + target.count, 0)).toBe(Math.min(count, total));
      }),
    );
  });
});

describe("the drain's times", () => {
  it("lie inside the grace: moves in the first half, the cut before the end", () => {
    fc.assert(
      fc.property(fc.nat(50_000), fc.integer({ min: 1_000, max: 3_600_000 }), (connections, terminationMs) => {
        expect(drainWindowMs(connections, terminationMs)).toBeLessThanOrEqual(terminationMs / 2);
        expect(cutAfterMs(terminationMs)).toBeLessThan(terminationMs);
      }),
    );
    expect(drainWindowMs(100, 300_000)).toBe(1_000);
    expect(cutAfterMs(300_000)).toBe(295_000);
  });
});
