// The channels with the most deliveries: a hot channel burns a pod whatever its partitions look like. Bounded, because a label per
// channel would break whoever stores the metrics. Not here: counting (hub/channel.ts).

import type { ChannelRate } from "@wscluster/protocol";

/** As many are named at most. */
export const BUSY_CHANNELS = 10;
/** Slower ones burn nothing; naming them would only make new series. */
const LEAST_PER_SECOND = 1;
const PERIOD_MS = 5_000;

type Counted = { readonly stream: string; delivered: number };

export class BusyChannels {
  #atMs: number;
  #rates: readonly ChannelRate[] = [];

  constructor(nowMs: number) {
    this.#atMs = nowMs;
  }

  /** Most deliveries first. */
  get rates(): readonly ChannelRate[] {
    return this.#rates;
  }

  /** Looks at all channels once in a period and sets their counts back to 0. Called more often it does nothing. */
  sample(channels: Iterable<Counted>, nowMs: number): void {
    const passedMs = nowMs - this.#atMs;
    if (passedMs >= 0 && passedMs < PERIOD_MS) return;
    this.#atMs = nowMs;
    const seconds = Math.max(passedMs, PERIOD_MS) / 1_000;
    const busy: ChannelRate[] = [];
    for (const channel of channels) {
      const rate = channel.delivered / seconds;
      channel.delivered = 0;
      if (rate < LEAST_PER_SECOND) continue;
      busy.push({ channel: channel.stream, deliveriesPerSecond: Math.round(rate * 10) / 10 });
    }
    busy.sort((a, b) => b.deliveriesPerSecond - a.deliveriesPerSecond || (a.channel < b.channel ? -1 : 1));
    this.#rates = busy.slice(0, BUSY_CHANNELS);
  }
}
