// A channel of a Redis, which need not be the store's, and the lease on it: who applies its messages. Not here: what they mean (ingest/).

import type { Logger } from "@wscluster/platform";
import { linksFor } from "./links.ts";
import type { Commands } from "./command-link.ts";
import { HOLD } from "./scripts.ts";
import type { Subscriptions } from "./subscriber-link.ts";

export type IngestChannelOptions = {
  /** Of one of the forms in address.ts. */
  readonly url: string;
  readonly channel: string;
  /** Prefix of the lease's key. */
  readonly prefix: string;
  readonly log: Logger;
  readonly timeoutMs?: number;
};

/** What comes in, and who may apply it. */
export interface IngestChannel {
  readonly name: string;
  start(onMessage: (message: Buffer) => void): void;
  stop(): void;
  /** True when this holder has the lease from now on for `ttlMs`. Rejects with `BrokerUnavailable`. */
  hold(holder: string, ttlMs: number): Promise<boolean>;
  /** Gives the lease up if this holder has it. */
  release(holder: string): Promise<void>;
}

export class RedisIngestChannel implements IngestChannel {
  readonly name: string;
  readonly #key: string;
  readonly #commands: Commands;
  readonly #subscriptions: Subscriptions;
  #onMessage: ((message: Buffer) => void) | undefined;
  #stopped = false;

  constructor({ url, channel, prefix, log, timeoutMs }: IngestChannelOptions) {
    this.name = channel;
    this.#key = `${prefix}:ingest:${channel}`;
    [this.#commands, this.#subscriptions] = linksFor(
      { url, log, ...(timeoutMs === undefined ? {} : { timeoutMs }) },
      { onMessage: (_, message) => this.#onMessage?.(message), onRestored: () => {} },
    );
  }

  start(onMessage: (message: Buffer) => void): void {
    this.#onMessage = onMessage;
    this.#commands.start();
    this.#subscriptions.start();
    void this.#subscribe();
  }

  /** The link subscribes again after a break by itself; only the first time may come too late. */
  async #subscribe(): Promise<void> {
    while (!this.#stopped) {
      try {
        return await this.#subscriptions.subscribe(this.name);
      } catch {
        // It took its whole time to fail: no wait of our own.
      }
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#commands.stop();
    this.#subscriptions.stop();
  }

  async hold(holder: string, ttlMs: number): Promise<boolean> {
    return (await this.#holdFor(holder, String(ttlMs))) === 1;
  }

  async release(holder: string): Promise<void> {
    await this.#holdFor(holder, "0");
  }

  #holdFor(holder: string, ttl: string): Promise<unknown> {
    return this.#commands.run({ script: HOLD, repeatable: true, keys: [this.#key], args: [holder, ttl] });
  }
}
