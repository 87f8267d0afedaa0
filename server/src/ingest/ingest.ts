// What comes in from outside beside clients and the back-end API, started and ended with its pod. Not here: the sources.

import type { Logger } from "@wscluster/platform";
import { RedisIngestChannel } from "../broker/redis/ingest-channel.ts";
import type { ServerVariables } from "../config.ts";
import type { Pod } from "../pod.ts";
import { ChannelIngest } from "./channel-ingest.ts";

export type Ingest = {
  start(): void;
  /** To be called before the pod ends: others take over what is still to come. */
  stop(): Promise<void>;
  /** As if the process had died. For tests. */
  kill(): void;
};

export function ingestFor(variables: ServerVariables, pod: Pod, log: Logger): Ingest {
  const sources: Ingest[] = [];
  const {
    WSC_INGEST_REDIS_CHANNEL: channel,
    WSC_INGEST_REDIS_URL,
    WSC_REDIS_URL,
    WSC_REDIS_PREFIX: prefix,
  } = variables;
  if (channel !== undefined) {
    const url = WSC_INGEST_REDIS_URL ?? WSC_REDIS_URL;
    if (url === undefined)
      throw new Error("WSC_INGEST_REDIS_CHANNEL needs a Redis; set WSC_REDIS_URL or WSC_INGEST_REDIS_URL");
    sources.push(
      new ChannelIngest({
        channel: new RedisIngestChannel({ url, channel, prefix, log }),
        publisher: pod.publisher,
        podKey: pod.podKey,
        metrics: pod.metrics,
        log,
        now: () => performance.now(),
      }),
    );
  }
  return {
    start() {
      for (const source of sources) source.start();
    },
    async stop() {
      await Promise.all(sources.map((source) => source.stop()));
    },
    kill() {
      for (const source of sources) source.kill();
    },
  };
}
