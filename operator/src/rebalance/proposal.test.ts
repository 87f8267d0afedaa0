import fc from "fast-check";
import { NO_RECEIPTS } from "@wscluster/protocol";
import { describe, expect, it } from "vitest";
import { proposalAfterGrants, sliceGrantsFor } from "./grants.ts";
import type { RebalancePlan } from "./planner.ts";
import { nextProposal, PROPOSAL_TRANSITIONS, proposalFor, type Proposal, type ProposalFacts } from "./proposal.ts";

const planOf = (counts: readonly number[], moved = counts.reduce((sum, count) => sum + count, 0)): RebalancePlan => ({
  moves: counts.map((count, index) => ({
    from: `a${index % 2}`,
    to: `b${index}`,
    partition: index,
    count,
    why: "test",
  })),
  moved,
  lowerBound: moved,
  beforePercent: 40,
  predictedPercent: 7,
  predicted: new Map(),
  limitedBy: "Nothing",
});
const PODS = new Set(["a0", "a1", "b0", "b1", "b2", "b3"]);
const facts = (rest: Partial<ProposalFacts> = {}): ProposalFacts => ({
  nowMs: 1_000,
  approved: false,
  stopped: false,
  expiresAfterMs: 60_000,
  plan: planOf([10, 5]),
  pods: PODS,
  receipts: NO_RECEIPTS,
  ...rest,
});
const proposed = proposalFor(planOf([10, 5]), 0);
const running = nextProposal(proposed, facts({ approved: true }));

describe("proposalFor", () => {
  it("waits for approval and says what it costs; nothing to do is a good end", () => {
    expect(proposed).toMatchObject({ state: "Proposed", reason: "AwaitingApproval" });
    expect(proposed.message).toBe("15 connections in 2 moves; imbalance from 40 % to 7 %");
    expect(proposalFor(planOf([]), 0)).toMatchObject({ state: "Completed", reason: "NothingToDo" });
  });
});

describe("nextProposal", () => {
  it.each<[string, Partial<ProposalFacts>, Partial<Proposal>]>([
    ["waits", {}, { state: "Proposed", reason: "AwaitingApproval" }],
    ["runs once approved", { approved: true }, { state: "Running", reason: "Approved" }],
    ["stops", { stopped: true }, { state: "Stopped", reason: "StoppedByUser" }],
    ["stops rather than runs", { stopped: true, approved: true }, { state: "Stopped" }],
    ["expires", { nowMs: 60_000 }, { state: "Expired", reason: "NotApprovedInTime" }],
    ["is not woken by a late approval", { nowMs: 60_000, approved: true }, { state: "Expired" }],
    [
      "waits while the load is unknown",
      { approved: true, plan: undefined },
      { state: "Proposed", reason: "LoadUnknown" },
    ],
    [
      "does not cost more than approved",
      { approved: true, plan: planOf([20, 5]) },
      { state: "Proposed", reason: "CostRose" },
    ],
    [
      "ends when nothing is left to do",
      { approved: true, plan: planOf([]) },
      { state: "Completed", reason: "NothingToDo" },
    ],
  ])("when proposed: %s", (_, rest, expected) => {
    expect(nextProposal(proposed, facts(rest))).toMatchObject(expected);
  });

  it("runs the plan of the moment of approval", () => {
    const next = nextProposal(proposed, facts({ approved: true, plan: planOf([3, 3]) }));
    expect(next.moves.map((move) => move.count)).toEqual([3, 3]);
  });

  it("grants one partition a source at a time, within the tokens, each connection once, until all have moved", () => {
    let state = running;
    const granted: number[] = [];
    for (let window = 0; window < 20; window++) {
      const grants = sliceGrantsFor(state, "rebalance/x/1", 4, PODS);
      granted.push(grants.reduce((sum, grant) => sum + grant.count, 0));
      for (const grant of grants)
        expect(grant.targets.reduce((sum, target) => sum + target.count, 0)).toBe(grant.count);
      state = proposalAfterGrants(state, grants);
      const done = granted.reduce((sum, count) => sum + count, 0);
      state = nextProposal(
        state,
        facts({ nowMs: 1_000 * window, receipts: { ...NO_RECEIPTS, offered: done, moved: done } }),
      );
    }
    expect(Math.max(...granted)).toBeLessThanOrEqual(4);
    expect(granted.reduce((sum, count) => sum + count, 0)).toBe(15);
    expect(state).toMatchObject({ state: "Completed", reason: "AllMoved", message: "15 of 15 moved" });
  });

  it("names one partition in a grant, though the source has moves of others", () => {
    const both = nextProposal(proposalFor(planOf([10, 0, 5]), 0), facts({ approved: true, plan: planOf([10, 0, 5]) }));
    const [first] = sliceGrantsFor(both, "rebalance/x/1", 100, PODS);
    expect(first).toMatchObject({ source: "a0", partition: 0, count: 10, targets: [{ pod: "b0", count: 10 }] });
    const [second] = sliceGrantsFor(
      proposalAfterGrants(both, first === undefined ? [] : [first]),
      "rebalance/x/1",
      100,
      PODS,
    );
    expect(second).toMatchObject({ source: "a0", partition: 2, targets: [{ pod: "b2", count: 5 }] });
  });

  it("does not wait for pods that are gone, nor for ever, and knows no number that nobody told", () => {
    const pods = new Set(["a0", "b0"]);
    const grants = sliceGrantsFor(running, "rebalance/x/1", 100, pods);
    expect(grants.map((grant) => grant.source)).toEqual(["a0"]);
    const granted = proposalAfterGrants(running, grants);
    const receipts = { ...NO_RECEIPTS, offered: 10, moved: 9, refused: 1 };
    expect(nextProposal(granted, facts({ pods, receipts }))).toMatchObject({ state: "Completed", reason: "Partly" });
    expect(nextProposal(granted, facts({ pods, receipts: undefined })).state).toBe("Running");
    expect(nextProposal(granted, facts({ pods, receipts: undefined, nowMs: 200_000 }))).toMatchObject({
      reason: "Partly",
    });
    expect(nextProposal(granted, facts({ stopped: true, receipts }))).toMatchObject({
      state: "Stopped",
      message: "stopped with 9 of 15 moved",
    });
  });

  it("makes only the transitions of its table, and no end is ever left, under any script", () => {
    const step = fc.record({
      waitMs: fc.nat({ max: 50_000 }),
      approved: fc.boolean(),
      stopped: fc.boolean(),
      plan: fc.constantFrom(undefined, planOf([]), planOf([10, 5]), planOf([50])),
      receipts: fc.constantFrom(undefined, NO_RECEIPTS, { ...NO_RECEIPTS, moved: 15 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        let state = proposed;
        let nowMs = 0;
        for (const { waitMs, ...rest } of steps) {
          nowMs += waitMs;
          state = proposalAfterGrants(state, sliceGrantsFor(state, "rebalance/x/1", 7, PODS));
          const next = nextProposal(state, facts({ nowMs, ...rest }));
          if (next.state !== state.state) expect(PROPOSAL_TRANSITIONS[state.state]).toContain(next.state);
          for (const move of next.moves) expect(move.granted).toBeLessThanOrEqual(move.count);
          state = next;
        }
      }),
      { numRuns: 300, seed: 43 },
    );
  });
});
