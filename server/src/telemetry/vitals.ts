// The pod's own view of how it does: levels for `/metrics`, checks for `/health`, pressure for the contract. Not here: the parts that
// it looks at.

import { totalmem } from "node:os";
import type { ChannelRate, PodState, SERVER_METRICS } from "@wscluster/protocol";
import type { Metrics } from "@wscluster/platform";
import type { Registry } from "../session/registry.ts";
import { BusyChannels } from "./busy-channels.ts";
import { Gauges } from "./gauges.ts";
import { healthChecksOf, memoryLimitOf } from "./health.ts";
import type { HealthCheck } from "./health.ts";
import { LoadSampler, pressureOf } from "./load.ts";

export type VitalParts = {
  readonly metrics: Metrics<keyof typeof SERVER_METRICS>;
  readonly registry: Registry;
  readonly channels: () => Iterable<{ readonly stream: string; delivered: number }>;
  readonly capacity: () => number;
  readonly store: () => PodState["broker"];
  readonly lobby: () => { readonly perSecond: number; readonly waiting: number };
  readonly config: () => { readonly generation: number; readonly ok: boolean };
};

export class Vitals {
  readonly sampler: LoadSampler;
  readonly gauges: Gauges;
  readonly #parts: VitalParts;
  readonly #busy: BusyChannels;
  readonly #memoryLimitBytes = memoryLimitOf(process.constrainedMemory(), totalmem());

  constructor(parts: VitalParts, nowMs: number) {
    this.#parts = parts;
    this.sampler = new LoadSampler(nowMs);
    this.gauges = new Gauges(parts.metrics, parts.registry);
    this.#busy = new BusyChannels(nowMs);
  }

  /** Once a second. */
  sample(nowMs: number): void {
    this.sampler.sample(nowMs);
    this.#busy.sample(this.#parts.channels(), nowMs);
  }

  stop(): void {
    this.sampler.stop();
  }

  get load(): PodState["load"] {
    return this.sampler.load;
  }

  get channels(): readonly ChannelRate[] {
    return this.#busy.rates;
  }

  pressure(): number {
    const { cpu, eventLoopLagMs } = this.load;
    return pressureOf({ cpu, eventLoopLagMs, queueBytes: this.gauges.queueBytes() });
  }

  checks(): readonly HealthCheck[] {
    const { registry, capacity, store } = this.#parts;
    const { rssBytes, eventLoopLagMs } = this.load;
    return healthChecksOf({
      slotsUsed: registry.slots,
      slots: capacity(),
      rssBytes,
      memoryLimitBytes: this.#memoryLimitBytes,
      queueBytes: this.gauges.queueBytes(),
      brokerSilenceMs: store().lastOkAgoMs,
      eventLoopLagMs,
    });
  }

  async exposition(nowMs: number): Promise<{ readonly text: string; readonly contentType: string }> {
    const { metrics, store, config, lobby } = this.#parts;
    const { generation, ok } = config();
    this.gauges.measure(
      {
        load: this.load,
        memoryLimitBytes: this.#memoryLimitBytes,
        pressure: this.pressure(),
        brokerOk: store().ok,
        configGeneration: generation,
        configOk: ok,
        channels: this.channels,
        lobby: lobby(),
      },
      nowMs,
    );
    return { text: await metrics.text(), contentType: metrics.contentType };
  }
}
