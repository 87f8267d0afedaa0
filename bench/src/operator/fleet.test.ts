import { describe, expect, it } from "vitest";
import { SimulatedFleet } from "./fleet.ts";

function twoPods() {
  const fleet = new SimulatedFleet();
  const [a, b] = [fleet.start("aaaaaaaa-0000-0000-0000-000000000001", "none"), fleet.start("b1", "active")];
  a.connections = 10;
  return { fleet, a, b };
}

describe("SimulatedFleet", () => {
  it("moves what a grant allows, spread over its window, and counts it", () => {
    const { fleet, a, b } = twoPods();
    const body = { intent: "rollout/r/1", count: 4, windowMs: 1_000, targets: [{ pod: b.key, count: 4 }] } as const;
    expect(fleet.write(a, 1, 1, { epoch: 1, seq: 1, deadlineMs: 5_000, ...body }, 0)).toMatchObject({ ok: true });
    fleet.look(500);
    expect([a.connections, b.connections]).toEqual([8, 2]);
    fleet.look(2_000);
    fleet.look(9_000);
    expect([a.connections, b.connections]).toEqual([6, 4]);
    expect(fleet.stateOf(b, 0).receipts["rollout/r/1"]).toMatchObject({ offered: 4, moved: 4 });
  });

  it("refuses what is older, and does the same write once", () => {
    const { fleet, a } = twoPods();
    const seal = { mode: "none", sealed: true } as const;
    expect(fleet.write(a, 2, 5, seal, 0)).toEqual({ ok: true, epoch: 2, seq: 5 });
    expect(fleet.write(a, 2, 5, { mode: "active", sealed: false }, 0)).toMatchObject({ ok: true });
    expect(a.mode).toBe("none");
    expect(fleet.write(a, 2, 4, seal, 0)).toMatchObject({ ok: false, code: "stale-seq" });
    expect(fleet.write(a, 1, 9, seal, 0)).toMatchObject({ ok: false, code: "stale-epoch" });
    expect(fleet.stateOf(a, 0).refusedWrites).toBe(2);
  });

  it("is ready while it holds clients, and gives them away when it ends", () => {
    const { fleet, a, b } = twoPods();
    a.isSealed = true;
    expect(fleet.isReady(a)).toBe(true);
    a.isTerminating = true;
    for (let look = 0; look < 20; look += 1) fleet.look(look);
    expect([a.connections, b.connections, fleet.isReady(a)]).toEqual([0, 10, false]);
  });
});
