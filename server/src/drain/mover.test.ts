import { afterEach, describe, expect, it } from "vitest";
import { createStage } from "../testing/stage.ts";
import { MemoryBroker } from "../broker/memory.ts";
import { Mover } from "./mover.ts";
import { ReceiptLedger } from "./receipt-ledger.ts";

const { server, connect, clear } = createStage();
afterEach(clear);

describe("Mover", () => {
  it("sends when the plan says, by its clock, whatever the step", async () => {
    const a = await server();
    for (let n = 0; n < 20; n += 1) {
      const client = await connect(a.url);
      client.hello({ caps: ["migrate"] });
      await client.find("ready");
    }
    let now = 1_000;
    const mover = new Mover({
      podKey: "x",
      registry: a.pod.registry,
      ledger: new ReceiptLedger(new MemoryBroker(), "x"),
      signTicket: () => "ticket",
      now: () => now,
      random: () => 0.5,
      onOutcome: () => {},
      isFinal: () => false,
    });
    const order = {
      intent: "rollout/r/1",
      count: 20,
      windowMs: 2_000,
      targets: [{ pod: "y", count: 20 }],
      deadlineMs: 60_000,
      cutOthers: false,
    } as const;
    mover.grant(order);
    const perBin: number[] = [];
    for (let bin = 0; bin < 20; bin += 1) {
      const before = mover.moving;
      for (let step = 0; step < 5; step += 1) {
        now += 20;
        mover.step();
      }
      perBin.push(mover.moving - before);
    }
    expect(perBin).toEqual(Array.from({ length: 20 }, () => 1));
  });

  it("lets what was not sent by the end of the window lapse", async () => {
    const a = await server();
    for (let n = 0; n < 4; n += 1) {
      const client = await connect(a.url);
      client.hello({ caps: ["migrate"] });
      await client.find("ready");
    }
    let now = 0;
    const mover = new Mover({
      podKey: "x",
      registry: a.pod.registry,
      ledger: new ReceiptLedger(new MemoryBroker(), "x"),
      signTicket: () => "ticket",
      now: () => now,
      random: () => 0.5,
      onOutcome: () => {},
      isFinal: () => false,
    });
    mover.grant({
      intent: "rollout/r/1",
      count: 4,
      windowMs: 1_000,
      targets: [{ pod: "y", count: 4 }],
      deadlineMs: 60_000,
      cutOthers: false,
    });
    now = 200;
    mover.step();
    expect(mover.moving).toBe(1);
    // The process was stopped for an hour: nothing may burst out afterwards.
    now = 3_600_000;
    mover.step();
    const asked = [...a.pod.registry.sessions.values()].filter(({ askedMove }) => askedMove !== undefined);
    expect(asked).toHaveLength(0);
    expect(mover.isIdle).toBe(true);
  });
});
