import { afterEach, describe, expect, it } from "vitest";
import { createStage } from "../testing/stage.ts";
import { MemoryBroker } from "../broker/memory.ts";
import { Mover } from "./mover.ts";
import { ReceiptLedger } from "./receipt-ledger.ts";

const { server, connect, clear } = createStage();
afterEach(clear);

type Clock = { now: number };

async function moverOver(count: number, clock: Clock): Promise<Mover> {
  const a = await server();
  for (let n = 0; n < count; n += 1) {
    const client = await connect(a.url);
    client.hello({ caps: ["migrate"] });
    await client.find("ready");
  }
  return new Mover({
    podKey: "x",
    registry: a.pod.registry,
    ledger: new ReceiptLedger(new MemoryBroker(), "x"),
    signTicket: () => "ticket",
    now: () => clock.now,
    random: () => 0.5,
    onOutcome: () => {},
    isFinal: () => false,
  });
}

const order = (count: number, windowMs: number) => ({
  intent: "rollout/r/1" as const,
  count,
  windowMs,
  targets: [{ pod: "y", count }],
  deadlineMs: 10_000_000,
  cutOthers: false,
});

/** Moves begun in each 100 ms, stepping every 20. */
function run(mover: Mover, clock: Clock, bins: number): readonly number[] {
  return Array.from({ length: bins }, () => {
    const before = mover.moving;
    for (let step = 0; step < 5; step += 1) {
      clock.now += 20;
      mover.step();
    }
    return mover.moving - before;
  });
}

describe("Mover", () => {
  it("sends when the plan says, by its clock, whatever the step", async () => {
    const clock = { now: 1_000 };
    const mover = await moverOver(20, clock);
    mover.grant(order(20, 2_000));
    expect(run(mover, clock, 20)).toEqual(Array.from({ length: 20 }, () => 1));
  });

  it("replaces the unused rest of a grant by the next one", async () => {
    const clock = { now: 0 };
    const mover = await moverOver(10, clock);
    mover.grant(order(10, 1_000));
    run(mover, clock, 3);
    expect(mover.moving).toBe(3);
    mover.grant(order(2, 200));
    run(mover, clock, 20);
    expect(mover.moving).toBe(5);
    expect(mover.isDraining).toBe(false);
  });

  it("lets what came due while the process was stopped lapse, instead of sending it in one burst", async () => {
    const clock = { now: 0 };
    const mover = await moverOver(4, clock);
    mover.grant(order(4, 1_000));
    run(mover, clock, 2);
    expect(mover.moving).toBe(1);
    clock.now = 3_600_000;
    mover.step();
    expect(mover.moving).toBe(1);
    run(mover, clock, 10);
    expect(mover.moving).toBe(1);
  });
});
