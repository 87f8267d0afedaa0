// Settings of a Redis that decide what it may lose, out of its INFO, which also managed stores answer where CONFIG is hidden.
// Not here: what follows from them (the operator's preflight).

import type { PodState, StoreSettings } from "@wscluster/protocol";
import { BROKER_SILENCE_MS } from "../telemetry/health.ts";
import type { Broker } from "./port.ts";

/** @param info text of INFO, sections memory and replication. */
export function storeSettingsOf(info: string): StoreSettings {
  const fields = new Map(
    info.split(/\r?\n/).flatMap((line) => {
      const colon = line.indexOf(":");
      return colon <= 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1)] as const];
    }),
  );
  const evictionPolicy = fields.get("maxmemory_policy");
  const replicas = fields.get("connected_slaves");
  return {
    ...(evictionPolicy === undefined ? {} : { evictionPolicy }),
    ...(replicas === undefined || !/^\d{1,6}$/.test(replicas) ? {} : { replicas: Number(replicas) }),
    // The field is there only where min-replicas-to-write is above 0.
    ...(replicas === undefined ? {} : { minReplicasToWrite: fields.has("min_slaves_good_slaves") ? 1 : 0 }),
  };
}

/** What a pod knows of its store: since when it is silent, and what it told of itself. */
export class StoreWatch {
  readonly #broker: Broker;
  readonly #now: () => number;
  #lastOkMs = 0;
  #settings: StoreSettings | undefined;

  constructor(broker: Broker, now: () => number) {
    this.#broker = broker;
    this.#now = now;
  }

  answered(): void {
    this.#lastOkMs = this.#now();
  }

  state(): PodState["broker"] {
    const lastOkAgoMs = this.#lastOkMs === 0 ? Number.MAX_SAFE_INTEGER : this.#now() - this.#lastOkMs;
    return { ok: lastOkAgoMs <= BROKER_SILENCE_MS, lastOkAgoMs, store: this.#settings };
  }

  async look(): Promise<void> {
    try {
      this.#settings = await this.#broker.settings?.();
    } catch {
      // What was told stays: settings do not change because the store is away.
    }
  }
}
