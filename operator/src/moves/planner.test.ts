import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Donor, type MoveFacts, planGrants, rankOf, shareOut, type Target } from "./planner.ts";

const target = (key: string, more: Partial<Target> = {}): Target => ({
  key,
  connections: 0,
  preparing: 0,
  capacity: 100,
  pressure: 0,
  ...more,
});
const donor = (key: string, connections: number, more: Partial<Donor> = {}): Donor => ({
  key,
  intent: "rollout/abc/1",
  connections,
  moving: 0,
  ...more,
});
const plan = (facts: Partial<MoveFacts>) => planGrants({ donors: [], targets: [], tokens: 100, recent: [], ...facts });

describe("planGrants", () => {
  it("shares the budget in proportion to what is left", () => {
    const { grants, limitedBy } = plan({
      donors: [donor("a", 60), donor("b", 30), donor("c", 10)],
      targets: [target("t")],
      tokens: 10,
    });
    expect(grants.map(({ source, count }) => [source, count])).toEqual([
      ["a", 6],
      ["b", 3],
      ["c", 1],
    ]);
    expect(limitedBy).toBe("Budget");
  });

  it("lets only those with somebody else's deadline use the emergency pace, and counts it against the others", () => {
    const doomed = donor("a", 50, { intent: "evacuate/a", isEmergency: true });
    const cordoned = donor("b", 50, { intent: "evacuate/b" });
    const all = { donors: [cordoned, doomed, donor("c", 50)], targets: [target("t", { capacity: 1_000 })] };
    const counts = (tokens: number, emergencyTokens: number) =>
      plan({ ...all, tokens, emergencyTokens }).grants.map(({ source, count, isEmergency }) => [
        source,
        count,
        isEmergency === true,
      ]);
    expect(counts(10, 30)).toEqual([["a", 30, true]]);
    expect(counts(60, 100)).toEqual([
      ["a", 50, true],
      ["b", 10, false],
    ]);
    expect(counts(0, 0)).toEqual([]);
  });

  it("levels the targets and counts what is on its way to them", () => {
    const { grants } = plan({
      donors: [donor("a", 30)],
      targets: [target("t1", { connections: 10 }), target("t2"), target("t3", { preparing: 5 })],
      recent: [{ source: "z", sentAtMs: 0, targets: [{ pod: "t2", count: 4 }] }],
      tokens: 14,
    });
    expect(grants[0]?.targets).toEqual([
      { pod: "t1", count: 1 },
      { pod: "t2", count: 7 },
      { pod: "t3", count: 6 },
    ]);
  });

  it("serves the more urgent intent first", () => {
    const { grants } = plan({
      donors: [donor("a", 50, { intent: "scaleDown/a" }), donor("b", 50, { intent: "rollback/abc/1" })],
      targets: [target("t")],
      tokens: 60,
    });
    expect(grants.map(({ source, count }) => [source, count])).toEqual([
      ["b", 50],
      ["a", 10],
    ]);
  });

  it("empties superseded sets before the stable one", () => {
    const { grants } = plan({
      donors: [donor("stable", 50, { turn: 1 }), donor("superseded", 50)],
      targets: [target("t")],
      tokens: 60,
    });
    expect(grants.map(({ source, count }) => [source, count])).toEqual([
      ["superseded", 50],
      ["stable", 10],
    ]);
  });

  it("gives a pod one grant, of its most urgent intent", () => {
    const { grants } = plan({
      donors: [donor("a", 50), donor("a", 5, { intent: "edgeDrain/e1", edge: "e" })],
      targets: [target("t")],
    });
    expect(grants.map(({ intent, count, edge }) => [intent, count, edge])).toEqual([["edgeDrain/e1", 5, "e"]]);
  });

  it.each<[string, Partial<MoveFacts>, string]>([
    ["nobody has to move", { targets: [target("t")] }, "Nothing"],
    ["all were asked already", { donors: [donor("a", 5, { moving: 5 })], targets: [target("t")] }, "Nothing"],
    ["there is no target", { donors: [donor("a", 5)] }, "NoTarget"],
    ["targets are under pressure", { donors: [donor("a", 5)], targets: [target("t", { pressure: 0.95 })] }, "NoTarget"],
    ["targets are full", { donors: [donor("a", 5)], targets: [target("t", { connections: 100 })] }, "TargetsFull"],
    ["the budget is spent", { donors: [donor("a", 5)], targets: [target("t")], tokens: 0 }, "Budget"],
  ])("grants nothing when %s", (_why, facts, limitedBy) => {
    expect(plan(facts)).toEqual({ grants: [], limitedBy });
  });

  const donors = fc.uniqueArray(
    fc.record({
      key: fc.constantFrom("a", "b", "c", "d", "t1"),
      intent: fc.constantFrom<Donor["intent"]>("rollout/r/1", "rollback/r/1", "scaleDown/x"),
      connections: fc.nat(60),
      moving: fc.nat(20),
      turn: fc.nat(1),
    }),
    { selector: ({ key }) => key },
  );
  const targets = fc.uniqueArray(
    fc.record({
      key: fc.constantFrom("t1", "t2", "t3"),
      connections: fc.nat(50),
      preparing: fc.nat(10),
      capacity: fc.nat(80),
      pressure: fc.constantFrom(0, 0.5, 0.95),
    }),
    { selector: ({ key }) => key },
  );

  it("never exceeds budget, room or what a donor has, never sends a pod to itself, and wastes no budget", () => {
    fc.assert(
      fc.property(donors, targets, fc.nat(120), (from, to, tokens) => {
        const { grants } = plan({ donors: from, targets: to, tokens });
        const total = grants.reduce((sum, grant) => sum + grant.count, 0);
        expect(total).toBeLessThanOrEqual(tokens);
        for (const grant of grants) {
          const source = from.find(({ key }) => key === grant.source);
          expect(grant.count).toBeLessThanOrEqual((source?.connections ?? 0) - (source?.moving ?? 0));
          expect(grant.targets.reduce((sum, { count }) => sum + count, 0)).toBe(grant.count);
          expect(grant.targets.map(({ pod }) => pod)).not.toContain(grant.source);
        }
        for (const { key, capacity, connections, preparing, pressure } of to) {
          const given = grants.flatMap((grant) => grant.targets.filter(({ pod }) => pod === key));
          const sum = given.reduce((all, { count }) => all + count, 0);
          expect(sum).toBeLessThanOrEqual(pressure < 0.9 ? Math.max(0, capacity - connections - preparing) : 0);
        }
        const planAgain = plan({ donors: from.toReversed(), targets: to.toReversed(), tokens });
        expect(planAgain.grants).toEqual(grants);
      }),
      { seed: 42 },
    );
  });
});

it("shares out all of the total, by largest remainder, and never more than the weights", () => {
  expect(shareOut(10, [7, 7, 7])).toEqual([4, 3, 3]);
  expect(shareOut(10, [2, 3])).toEqual([2, 3]);
  fc.assert(
    fc.property(fc.nat(200), fc.array(fc.nat(50), { minLength: 1, maxLength: 6 }), (total, weights) => {
      const shares = shareOut(total, weights);
      const sum = weights.reduce((all, weight) => all + weight, 0);
      expect(shares.reduce((all, share) => all + share, 0)).toBe(Math.min(total, sum));
      shares.forEach((share, index) => expect(share).toBeLessThanOrEqual(weights[index] ?? 0));
    }),
    { seed: 1 },
  );
});

it("ranks an unknown kind last", () => {
  expect(rankOf("evacuate/x")).toBe(1);
  expect(rankOf("rollout/x")).toBeGreaterThan(rankOf("rollback/x"));
});
