// Receipts that this pod counts, gathered and written together; what could not be written stays until it can. Not here: moved and
// resumed, which the store's scripts count.

import type { IntentId } from "@wscluster/protocol";
import type { Broker, ReceiptOutcome } from "../broker/port.ts";

export class ReceiptLedger {
  readonly #broker: Broker;
  readonly #source: string;
  readonly #waiting = new Map<string, { readonly intent: string; readonly outcome: ReceiptOutcome; count: number }>();
  #writing: Promise<void> | undefined;

  constructor(broker: Broker, source: string) {
    this.#broker = broker;
    this.#source = source;
  }

  count(intent: IntentId, outcome: ReceiptOutcome): void {
    const key = `${intent}|${outcome}`;
    const entry = this.#waiting.get(key);
    if (entry) entry.count += 1;
    else this.#waiting.set(key, { intent, outcome, count: 1 });
  }

  /** Writes what has gathered. Never rejects. */
  flush(): Promise<void> {
    return (this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    }));
  }

  async #write(): Promise<void> {
    if (this.#waiting.size === 0) return;
    const batch = [...this.#waiting.values()].map((entry) => ({ ...entry, source: this.#source }));
    this.#waiting.clear();
    try {
      await this.#broker.countReceipts(batch);
    } catch {
      for (const { intent, outcome, count } of batch) {
        const key = `${intent}|${outcome}`;
        const entry = this.#waiting.get(key);
        if (entry) entry.count += count;
        else this.#waiting.set(key, { intent, outcome, count });
      }
    }
  }
}
