import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  defaultLeaseTerms as terms,
  evaluateLease,
  formatMicroTime,
  leaseSpecFor,
  mayLead,
  observeLease,
  type LeaseObservation,
  type LeaseSpec,
} from "./lease-decision.ts";

const seen = (sinceMs: number): LeaseObservation => ({ mark: "1", sinceMs });

describe("evaluateLease", () => {
  it.each<[string, LeaseSpec | undefined, number, object]>([
    ["none: create", undefined, 0, { kind: "create" }],
    ["empty: acquire", {}, 0, { kind: "acquire" }],
    ["released: acquire", { holderIdentity: "" }, 0, { kind: "acquire" }],
    ["mine: renew", { holderIdentity: "me" }, 99_999, { kind: "renew" }],
    ["another's, just seen: wait", { holderIdentity: "you" }, 0, { kind: "wait", holder: "you", forMs: 15_000 }],
    ["another's, nearly over: wait", { holderIdentity: "you" }, 14_999, { kind: "wait", holder: "you", forMs: 1 }],
    ["another's, over: acquire", { holderIdentity: "you" }, 15_000, { kind: "acquire" }],
    [
      "another's with a longer promise: wait",
      { holderIdentity: "you", leaseDurationSeconds: 60 },
      15_000,
      { kind: "wait", holder: "you", forMs: 45_000 },
    ],
    [
      "another's with a shorter promise: wait for ours",
      { holderIdentity: "you", leaseDurationSeconds: 1 },
      10_000,
      { kind: "wait", holder: "you", forMs: 5000 },
    ],
  ])("%s", (_, spec, nowMs, action) => {
    expect(evaluateLease(spec, "me", seen(0), nowMs)).toEqual(action);
  });

  it("counts from its own first look, whatever times the lease claims", () => {
    const ancient: LeaseSpec = { holderIdentity: "you", renewTime: "1999-01-01T00:00:00.000000Z" };
    expect(evaluateLease(ancient, "me", undefined, 1e9)).toMatchObject({ kind: "wait" });
    const first = observeLease(undefined, "7", 100);
    expect(observeLease(first, "7", 5000)).toBe(first);
    expect(observeLease(first, "8", 5000)).toEqual({ mark: "8", sinceMs: 5000 });
  });
});

describe("leaseSpecFor", () => {
  it("counts changes of holder and keeps the time of acquisition while renewing", () => {
    const taken = leaseSpecFor({ holderIdentity: "you", leaseTransitions: 4 }, "me", 0);
    expect(taken).toMatchObject({ holderIdentity: "me", leaseTransitions: 5, leaseDurationSeconds: 15 });
    const renewed = leaseSpecFor(taken, "me", 2000);
    expect(renewed).toMatchObject({ leaseTransitions: 5, acquireTime: taken.acquireTime });
    expect(renewed.renewTime).not.toBe(taken.renewTime);
    expect(leaseSpecFor(undefined, "me", 0).leaseTransitions).toBe(0);
  });

  it("writes micro times with six digits", () => {
    expect(formatMicroTime(Date.UTC(2026, 10, 25, 3, 17, 21, 123))).toBe("2026-11-25T03:17:21.123000Z");
  });
});

// Several candidates that read, wait, write and lose answers in any order. Their clocks run at one rate from different
// starts. Whoever may lead by its own knowledge must be alone.
it("never lets two lead, under any interleaving of delayed and lost requests", () => {
  type Candidate = {
    id: string;
    offsetMs: number;
    observed: LeaseObservation | undefined;
    renewedAtMs: number | undefined;
    /** A read whose answer is known and whose write has not reached the server yet. */
    flight: { sentAtMs: number; basis: number | undefined; spec: LeaseSpec } | undefined;
  };
  const step = fc.record({
    who: fc.nat({ max: 2 }),
    do: fc.oneof(
      { weight: 4, arbitrary: fc.constant("attempt" as const) },
      { weight: 4, arbitrary: fc.constant("wait" as const) },
      { weight: 3, arbitrary: fc.constantFrom("read", "write", "writeAnswerLost", "restart") },
    ),
    ms: fc.integer({ min: 1, max: 9000 }),
  });
  let changesOfLeader = 0;
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 1e6 }), { minLength: 3, maxLength: 3 }),
      fc.array(step, { minLength: 30, maxLength: 120 }),
      (offsets, steps) => {
        const candidates = offsets.map<Candidate>((offsetMs, index) => ({
          id: `c${index}`,
          offsetMs,
          observed: undefined,
          renewedAtMs: undefined,
          flight: undefined,
        }));
        let trueMs = 0;
        let lease: { version: number; spec: LeaseSpec } | undefined;
        let lastLeader = "";
        for (const { who, do: act, ms } of steps) {
          const me = candidates[who];
          if (me === undefined) continue;
          const nowMs = trueMs + me.offsetMs;
          if (act === "wait") trueMs += ms;
          if (act === "restart") {
            Object.assign(me, { id: `${me.id}'`, observed: undefined, renewedAtMs: undefined, flight: undefined });
          }
          if (act === "read" || act === "attempt") {
            if (lease !== undefined) me.observed = observeLease(me.observed, String(lease.version), nowMs);
            const action = evaluateLease(lease?.spec, me.id, me.observed, nowMs);
            if (action.kind === "wait") me.renewedAtMs = undefined;
            const spec = leaseSpecFor(lease?.spec, me.id, 0);
            me.flight = action.kind === "wait" ? undefined : { sentAtMs: nowMs, basis: lease?.version, spec };
          }
          if (me.flight !== undefined && (act === "write" || act === "writeAnswerLost" || act === "attempt")) {
            const { sentAtMs, basis, spec } = me.flight;
            me.flight = undefined;
            // The server refuses a write whose basis is not the present version.
            if (lease?.version !== basis) continue;
            lease = { version: (lease?.version ?? 0) + 1, spec };
            if (act !== "writeAnswerLost") me.renewedAtMs = sentAtMs;
          }
          const leaders = candidates.filter(
            (one) => one.renewedAtMs !== undefined && mayLead(one.renewedAtMs, trueMs + one.offsetMs, terms),
          );
          expect(leaders.length).toBeLessThanOrEqual(1);
          const leader = leaders[0]?.id;
          if (leader !== undefined && leader !== lastLeader) {
            if (lastLeader !== "") changesOfLeader++;
            lastLeader = leader;
          }
        }
      },
    ),
    { numRuns: 1500 },
  );
  // The property means something only if leadership did change hands.
  expect(changesOfLeader).toBeGreaterThan(50);
});
