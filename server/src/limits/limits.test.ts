import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Limits, NO_LIMITS } from "./limits.ts";
import type { LimitSettings, Metered } from "./limits.ts";
import { TokenBucket } from "./token-bucket.ts";

function limitsWith(change: Partial<LimitSettings>) {
  const clock = { ms: 0 };
  const limited: string[] = [];
  const settings = { ...NO_LIMITS, ...change };
  const limits = new Limits(
    () => settings,
    () => clock.ms,
    (name) => limited.push(name),
  );
  return { limits, clock, limited };
}

const ann = { user: "ann", tenant: "acme", address: "10.0.0.1" };

describe("TokenBucket", () => {
  it("never lets more through than the burst and what came back since, and says exactly when to come again", () => {
    const steps = fc.array(fc.tuple(fc.nat(2_000), fc.integer({ min: 1, max: 40 })), { maxLength: 60 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 60 }), (list, perSecond, burst) => {
        const rate = { perSecond, burst };
        const bucket = new TokenBucket(0);
        let nowMs = 0;
        let taken = 0;
        for (const [pauseMs, wanted] of list) {
          nowMs += pauseMs;
          const cost = Math.min(wanted, burst);
          const waitMs = bucket.waitFor(cost, rate, nowMs);
          if (waitMs > 0) {
            nowMs += waitMs;
            expect(bucket.waitFor(cost, rate, nowMs)).toBe(0);
          }
          bucket.take(cost);
          taken += cost;
          expect(taken).toBeLessThanOrEqual(burst + (nowMs * perSecond) / 1_000 + 1e-3);
        }
      }),
      {
        examples: [
          [
            [
              [0, 29],
              [16, 12],
              [761, 25],
            ],
            2,
            49,
          ],
        ],
        numRuns: 500,
      },
    );
  });

  it("bears a clock that steps back", () => {
    const bucket = new TokenBucket(10_000);
    bucket.take(5);
    const rate = { perSecond: 1, burst: 5 };
    expect(bucket.waitFor(1, rate, 0)).toBe(1_000);
    expect(bucket.waitFor(1, rate, 11_000)).toBe(0);
  });
});

describe("sessions", () => {
  it("are limited per user, tenant and address, and one that is let go makes room", () => {
    const cases = [
      [{ sessionsPerUser: 1 }, "user-sessions", { ...ann, user: "bob" }],
      [{ sessionsPerTenant: 1 }, "tenant-sessions", { ...ann, tenant: "other" }],
      [{ sessionsPerAddress: 1 }, "address-sessions", { ...ann, address: "10.0.0.2" }],
    ] as const;
    for (const [settings, name, other] of cases) {
      const { limits, limited } = limitsWith(settings);
      expect(limits.admitsSession(ann)).toBe(true);
      limits.hold(ann);
      expect(limits.admitsSession(ann)).toBe(false);
      expect(limited).toEqual([name]);
      expect(limits.admitsSession(other)).toBe(true);
      limits.release(ann);
      expect(limits.admitsSession(ann)).toBe(true);
      expect(limits.size).toBe(0);
    }
  });

  it("of the same user name in two tenants are two users", () => {
    const { limits } = limitsWith({ sessionsPerUser: 1 });
    limits.hold(ann);
    expect(limits.admitsSession({ ...ann, tenant: "other" })).toBe(true);
  });

  it("may have two sockets each: one that comes back has two for a moment", () => {
    const { limits, limited } = limitsWith({ sessionsPerAddress: 2 });
    for (let n = 0; n < 4; n += 1) {
      expect(limits.admitsSocket("10.0.0.1")).toBe(true);
      limits.socketOpened("10.0.0.1");
    }
    expect(limits.admitsSocket("10.0.0.1")).toBe(false);
    expect(limited).toEqual(["address-sockets"]);
    for (let n = 0; n < 4; n += 1) limits.socketClosed("10.0.0.1");
    expect(limits.size).toBe(0);
  });

  it("leave nothing behind in any order of coming and going", () => {
    const holder = fc.record({
      user: fc.constantFrom("a", "b"),
      tenant: fc.constantFrom("t", "u"),
      address: fc.constantFrom("1", "2"),
    });
    fc.assert(
      fc.property(
        fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8 }),
        fc.array(holder),
        (order, holders) => {
          const { limits } = limitsWith({});
          for (const one of holders) limits.hold(one);
          const leaving = holders.map((one, index) => [order[index % 8] ?? 0, one] as const);
          for (const [, one] of leaving.toSorted(([a], [b]) => a - b)) limits.release(one);
          expect(limits.size).toBe(0);
        },
      ),
    );
  });
});

describe("rates", () => {
  it("let a burst through, refuse with the time to wait, and let that through", () => {
    const { limits, clock, limited } = limitsWith({ messagesPerSecond: 200 });
    const connection: Metered = {};
    limits.hold(ann);
    for (let n = 0; n < 400; n += 1) expect(limits.judge(connection, "acme", 1, 10).kind).toBe("pass");
    expect(limits.judge(connection, "acme", 1, 10)).toEqual({ kind: "refuse", afterMs: 5 });
    clock.ms += 5;
    expect(limits.judge(connection, "acme", 1, 10).kind).toBe("pass");
    expect(limited).toEqual(["messages"]);
  });

  it("let the largest legal message and array pass under the smallest limits", () => {
    const { limits } = limitsWith({ messagesPerSecond: 1, bytesPerSecond: 1 });
    expect(limits.judge({}, "acme", 256, 64 * 1024).kind).toBe("pass");
  });

  it("count bytes", () => {
    const { limits, limited } = limitsWith({ bytesPerSecond: 100_000 });
    const connection: Metered = {};
    for (let n = 0; n < 4; n += 1) expect(limits.judge(connection, "acme", 1, 50_000).kind).toBe("pass");
    expect(limits.judge(connection, "acme", 1, 50_000)).toEqual({ kind: "refuse", afterMs: 500 });
    expect(limited).toEqual(["bytes"]);
  });

  it("of a noisy tenant starve nobody else", () => {
    const { limits, clock } = limitsWith({ tenantMessagesPerSecond: 1_000 });
    const bob = { ...ann, user: "bob", tenant: "quiet" };
    limits.hold(ann);
    limits.hold(bob);
    const noisy: Metered[] = Array.from({ length: 50 }, () => ({}));
    const quiet: Metered = {};
    let passed = 0;
    for (let second = 0; second < 10; second += 1) {
      for (const connection of noisy) {
        for (let n = 0; n < 40; n += 1) if (limits.judge(connection, "acme", 1, 10).kind === "pass") passed += 1;
      }
      for (let n = 0; n < 900; n += 1) expect(limits.judge(quiet, "quiet", 1, 10).kind).toBe("pass");
      clock.ms += 1_000;
    }
    expect(passed).toBe(2_000 + 9 * 1_000);
  });

  it("close a connection that goes on in spite of a thousand refusals, and none that waits", () => {
    const { limits, clock, limited } = limitsWith({ messagesPerSecond: 10 });
    const deaf: Metered = {};
    let refused = 0;
    while (limits.judge(deaf, "acme", 1, 10).kind !== "close") refused += 1;
    expect(refused).toBe(256 + 1_000);
    expect(limited.at(-1)).toBe("patience");
    const patient: Metered = {};
    for (let n = 0; n < 5_000; n += 1) {
      const verdict = limits.judge(patient, "acme", 1, 10);
      expect(verdict.kind).not.toBe("close");
      if (verdict.kind === "refuse") clock.ms += verdict.afterMs;
    }
  });

  it("cost nothing where there is no limit", () => {
    const { limits } = limitsWith({});
    const connection: Metered = {};
    expect(limits.judge(connection, "acme", 1e9, 1e12).kind).toBe("pass");
    expect(connection.meter).toBeUndefined();
  });
});

describe("subscriptions", () => {
  it("are limited per session", () => {
    const { limits, limited } = limitsWith({ subscriptionsPerSession: 3 });
    expect([limits.admitsSubscription(3), limits.admitsSubscription(4)]).toEqual([true, false]);
    expect(limited).toEqual(["subscriptions"]);
  });
});
