// The cluster's receipts as this pod last saw them. Not here: counting them (receipt-ledger.ts), the store (broker/).

import type { PodState } from "@wscluster/protocol";
import type { Broker } from "../broker/port.ts";
import type { ReceiptLedger } from "./receipt-ledger.ts";

/** Longest time that an answer to the operator waits for the store. A pod that fell silent with its store would look dead. */
export const STORE_PATIENCE_MS = 250;

export class ReceiptView {
  readonly #broker: Broker;
  readonly #ledger: ReceiptLedger;
  #known: PodState["receipts"] = {};
  #reading: Promise<void> | undefined;

  constructor(broker: Broker, ledger: ReceiptLedger) {
    this.#broker = broker;
    this.#ledger = ledger;
  }

  /** The totals: fresh if the store answers in time, else the last known ones, which is safe because counts only rise. Never rejects. */
  async totals(): Promise<PodState["receipts"]> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, STORE_PATIENCE_MS);
    });
    await Promise.race([this.#reading, patience]);
    clearTimeout(timer);
    return this.#known;
  }

  async #read(): Promise<void> {
    await this.#ledger.flush();
    try {
      this.#known = await this.#broker.receipts();
    } catch {
      // The last known ones stay.
    }
  }
}
