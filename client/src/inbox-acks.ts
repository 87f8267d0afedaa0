// What a device has acknowledged of its inbox, told to the server. Not here: the messages (inbox.ts).

import type { Position } from "@wscluster/protocol";
import type { Client } from "./client.ts";
import { ask } from "./service.ts";

/** Acknowledgements are cumulative, so what gathers while one is under way needs only one more. */
export class Acks {
  readonly #client: Client;
  #acknowledged: Position | undefined;
  #read: Position | undefined;
  #sent = "";
  #running: Promise<void> | undefined;
  /** Highest offset that was acknowledged, told or not. */
  reached = 0;

  constructor(client: Client) {
    this.#client = client;
  }

  async upTo(position: Position, isRead: boolean): Promise<void> {
    this.reached = Math.max(this.reached, position.offset);
    this.#acknowledged = later(this.#acknowledged, position);
    if (isRead) this.#read = later(this.#read, position);
    // The running one may have been sent before this position was known.
    await this.#running?.catch(() => {});
    this.#running ??= this.#send().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  async #send(): Promise<void> {
    const [read, acknowledged] = [this.#read, this.#acknowledged];
    const wanted = JSON.stringify([read, acknowledged]);
    if (wanted === this.#sent) return;
    const what = "acknowledge messages";
    if (read) await ask(this.#client, what, { t: "inbox.ack", e: read.epoch, o: read.offset, read: true });
    if (acknowledged && acknowledged.offset > (read?.offset ?? 0)) {
      await ask(this.#client, what, { t: "inbox.ack", e: acknowledged.epoch, o: acknowledged.offset });
    }
    this.#sent = wanted;
  }
}

/** Offsets go on across lives of a stream, and what a life lost is not acknowledged twice. */
function later(known: Position | undefined, position: Position): Position {
  return known && known.epoch === position.epoch && known.offset > position.offset ? known : position;
}
