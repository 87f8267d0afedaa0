import { NO_RECEIPTS } from "@wscluster/protocol";
import { describe, expect, it } from "vitest";
import type { Broker } from "../broker/port.ts";
import { ReceiptLedger } from "./receipt-ledger.ts";
import { ReceiptView } from "./receipt-view.ts";

const totals = { "rollout/r/1": { ...NO_RECEIPTS, moved: 3 } };

function viewOver(receipts: Broker["receipts"], countReceipts: Broker["countReceipts"] = () => Promise.resolve()) {
  const broker = { receipts, countReceipts } as unknown as Broker;
  const ledger = new ReceiptLedger(broker, "pod");
  return { ledger, view: new ReceiptView(broker, ledger) };
}

describe("ReceiptView", () => {
  it("gives what the store says", async () => {
    expect(await viewOver(() => Promise.resolve(totals)).view.totals()).toEqual(totals);
  });

  it("gives the last known totals while the store neither answers nor refuses", async () => {
    let hangs = false;
    const { view } = viewOver(() => (hangs ? new Promise(() => {}) : Promise.resolve(totals)));
    await view.totals();
    hangs = true;
    expect(await view.totals()).toEqual(totals);
  });

  it("answers although a count that waits to be written hangs", async () => {
    const { view, ledger } = viewOver(
      () => Promise.resolve(totals),
      () => new Promise(() => {}),
    );
    ledger.count("rollout/r/1", "offered");
    expect(await view.totals()).toEqual({});
  });

  it("keeps the last known totals when the store refuses, and asks once however many ask", async () => {
    let asked = 0;
    const { view } = viewOver(() => {
      asked += 1;
      return asked === 1 ? Promise.resolve(totals) : Promise.reject(new Error("away"));
    });
    await view.totals();
    const answers = await Promise.all([view.totals(), view.totals(), view.totals()]);
    expect(answers).toEqual([totals, totals, totals]);
    expect(asked).toBe(2);
  });
});
