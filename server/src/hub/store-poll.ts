// Looks at the store now and then: did a channel move on without our hearing of it? It is also the canary: an answer proves that the
// store serves. Not here: repairing a channel (hub.ts).

import type { SERVER_METRICS } from "@wscluster/protocol";
import type { Metrics } from "@wscluster/platform";
import type { Broker } from "../broker/port.ts";
import { timed } from "../telemetry/response.ts";
import type { Hub } from "./hub.ts";

export type StorePollParts = {
  readonly broker: Broker;
  readonly hub: Hub;
  readonly metrics: Pick<Metrics<keyof typeof SERVER_METRICS>, "observe">;
  readonly onAnswer: () => void;
};

export class StorePoll {
  readonly #parts: StorePollParts;
  #needsResync = false;
  #isBusy = false;

  constructor(parts: StorePollParts) {
    this.#parts = parts;
  }

  /** Messages may have been missed: the next look compares every channel. */
  resync(): void {
    this.#needsResync = true;
  }

  /** One at a time; never rejects. */
  async look(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    const { broker, hub, metrics, onAnswer } = this.#parts;
    try {
      // Taken down only after the comparison: a failure leaves it to the next look.
      const all = this.#needsResync;
      const changed = await timed(metrics, "store", () => (all ? broker.moved(hub) : broker.changed(hub)));
      if (all) this.#needsResync = false;
      onAnswer();
      const streams = new Set([...changed, ...hub.suspects()]);
      if (streams.size > 0) await hub.verify(streams);
    } catch {
      // Counted by the silence since the last answer.
    } finally {
      this.#isBusy = false;
    }
  }
}
