import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AnalysisInput, EVENT_NAMES, type EventCounts, judge, type SetMeasure } from "./judge.ts";

const NOTHING: EventCounts = {
  opened: 0,
  refused: 0,
  resumed: 0,
  moved: 0,
  failedResumes: 0,
  gaps: 0,
  errors: 0,
  received: 0,
  publishes: 0,
  duplicates: 0,
  publishSeconds: 0,
};
const HEALTHY: EventCounts = {
  ...NOTHING,
  opened: 100,
  moved: 50,
  resumed: 5,
  received: 900,
  publishes: 200,
  publishSeconds: 2,
};

const measure = (events: Partial<EventCounts> = {}, more: Partial<SetMeasure> = {}): SetMeasure => ({
  pods: 3,
  silent: [],
  restarted: [],
  pressure: 0.3,
  ...more,
  events: { ...HEALTHY, ...events },
});

const input = (more: Partial<AnalysisInput> = {}): AnalysisInput => ({
  spec: {},
  spanMs: 60_000,
  candidate: measure(),
  old: measure(),
  moves: { asked: 50, failed: 0 },
  ...more,
});
const candidate = (events: Partial<EventCounts>, more: Partial<SetMeasure> = {}) => ({
  candidate: measure(events, more),
});

describe("a step", () => {
  it("passes when the candidate is as good as the old set", () => {
    expect(judge(input())).toEqual({ kind: "pass" });
  });

  it.each<[string, Partial<AnalysisInput>, RegExp]>([
    ["failed resumes", candidate({ failedResumes: 10 }), /^failed resumes: 10 of 65 \(limit 5 %\); old set: 0 of 55$/],
    ["errors", candidate({ errors: 60 }), /^errors: 60 of 1000 \(limit 5 %\); old set: 0 of 1000$/],
    ["refused connections", candidate({ refused: 25 }), /^refused connections: 25 of 125/],
    ["failed moves", { moves: { asked: 50, failed: 6 } }, /^failed moves: 6 of 50 \(limit 10 %\)$/],
    ["pressure", candidate({}, { pressure: 0.95 }), /^pressure 95 % \(limit 90 %\)$/],
    ["a restart", candidate({}, { restarted: ["chat-x"] }), /^pod chat-x began anew while it was judged$/],
    ["gaps", { spec: { maxGapsPerThousand: 9 }, ...candidate({ gaps: 1 }) }, /^gaps: 1 of 100 \(limit 9 in 1000\)/],
    ["repeats", { spec: { maxDuplicatePercent: 1 }, ...candidate({ duplicates: 3 }) }, /^repeated publishes: 3 of 200/],
    [
      "latency",
      { spec: { maxLatencyPercent: 150 }, ...candidate({ publishSeconds: 4 }) },
      /^a publish takes 20.0 ms, on the old set 10.0 ms \(limit 150 %\)$/,
    ],
  ])("fails for %s, also before its time is over", (_name, more, why) => {
    expect(judge(input({ ...more, spanMs: 0 }))).toEqual({ kind: "fail", why: expect.stringMatching(why) });
  });

  it.each<[string, Partial<AnalysisInput>, RegExp]>([
    ["its time is not over", { spanMs: 12_345 }, /^judged for 12 of 30 s$/],
    ["few came", candidate({ opened: 3, received: 100 }), /^3 of 20 arrivals came to the candidate$/],
    [
      "few resumed, and one failed",
      candidate({ failedResumes: 1, moved: 2, resumed: 0 }),
      /1 of 3 .*too few to judge$/,
    ],
    ["a number is missing", candidate({ errors: undefined }), /^errors of the candidate are not known$/],
    ["the moves are not known", { moves: undefined }, /^failed moves of the candidate are not known$/],
    [
      "the pressure is not known",
      candidate({}, { pressure: undefined }),
      /^the pressure of the candidate is not known$/,
    ],
    [
      "a pod is silent",
      candidate({}, { silent: [{ name: "chat-x", why: "timeout" }] }),
      /^pod chat-x does not .*timeout$/,
    ],
    ["there is no pod", candidate({}, { pods: 0 }), /^the candidate has no pod$/],
    [
      "nobody published",
      { spec: { maxLatencyPercent: 150 }, ...candidate({ publishes: 0 }) },
      /^fewer than 20 publishes/,
    ],
    [
      "the old set fares no better",
      { candidate: measure({ errors: 100 }), old: measure({ errors: 100 }) },
      /^errors: 100 of 1000 .*; old set: 100 of 1000$/,
    ],
  ])("is open as long as %s", (_name, more, why) => {
    expect(judge(input(more))).toEqual({ kind: "inconclusive", why: expect.stringMatching(why) });
  });

  it("does not judge what is switched off, and not what is quick anyway", () => {
    const off = { maxErrorPercent: 100, maxPressurePercent: 100, maxFailedMovePercent: 100 };
    const blind = candidate({ errors: undefined }, { pressure: undefined });
    expect(judge(input({ spec: off, ...blind, moves: undefined }))).toEqual({ kind: "pass" });
    const quick = { spec: { maxLatencyPercent: 150 }, ...candidate({ publishSeconds: 0.8 }) };
    expect(judge(input({ ...quick, old: measure({ publishSeconds: 0.1 }) }))).toEqual({ kind: "pass" });
  });
});

describe("any measure", () => {
  const count = fc.option(fc.nat(400), { nil: undefined, freq: 8 });
  const events = fc.record({
    opened: count,
    refused: count,
    resumed: count,
    moved: count,
    failedResumes: count,
    gaps: count,
    errors: count,
    received: count,
    publishes: count,
    duplicates: count,
    publishSeconds: count,
  });
  const set = fc.record({
    pods: fc.nat(4),
    silent: fc.array(fc.constant({ name: "p", why: "timeout" }), { maxLength: 1 }),
    restarted: fc.array(fc.constant("p"), { maxLength: 1 }),
    events,
    pressure: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
  });
  const any: fc.Arbitrary<AnalysisInput> = fc.record({
    spec: fc.constantFrom({}, { maxGapsPerThousand: 5, maxDuplicatePercent: 2, maxLatencyPercent: 150 }),
    spanMs: fc.nat(60_000),
    candidate: set,
    old: set,
    moves: fc.option(fc.record({ asked: fc.nat(100), failed: fc.nat(100) }), { nil: undefined }),
  });

  it("passes only with all that is judged known, with its sample and its time", () => {
    fc.assert(
      fc.property(any, (one) => {
        if (judge(one).kind !== "pass") return;
        expect(one.candidate.silent).toEqual([]);
        expect(one.candidate.restarted).toEqual([]);
        expect(one.candidate.pods).toBeGreaterThan(0);
        expect(one.spanMs).toBeGreaterThanOrEqual(30_000);
        expect(one.candidate.events.opened ?? 0).toBeGreaterThanOrEqual(20);
        const { failedResumes, errors, refused } = one.candidate.events;
        expect([failedResumes, errors, refused, one.moves, one.candidate.pressure]).not.toContain(undefined);
      }),
      { numRuns: 2_000 },
    );
  });

  it("is no better for a number that becomes unknown, and no worse for the old set than before", () => {
    fc.assert(
      fc.property(any, fc.constantFrom(...EVENT_NAMES), (one, name) => {
        const blind = {
          ...one,
          candidate: { ...one.candidate, events: { ...one.candidate.events, [name]: undefined } },
        };
        if (judge(one).kind === "inconclusive") expect(judge(blind).kind).not.toBe("pass");
        // Hiding the old set's numbers excuses nothing that fails with them.
        const alone = { ...one, old: { ...one.old, events: { ...NOTHING } } };
        if (judge(one).kind === "fail" && one.spec.maxLatencyPercent === undefined) {
          expect(judge(alone).kind).toBe("fail");
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("does not get better by more failures", () => {
    const rank = { pass: 0, inconclusive: 1, fail: 2 };
    const bad = fc.constantFrom("failedResumes", "errors", "refused", "gaps", "duplicates");
    fc.assert(
      fc.property(any, bad, fc.integer({ min: 1, max: 200 }), (one, name, more) => {
        const before = one.candidate.events[name];
        if (before === undefined) return;
        const worse = {
          ...one,
          candidate: { ...one.candidate, events: { ...one.candidate.events, [name]: before + more } },
        };
        expect(rank[judge(worse).kind]).toBeGreaterThanOrEqual(rank[judge(one).kind]);
      }),
      { numRuns: 2_000 },
    );
  });
});
