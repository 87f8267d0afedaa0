// What the hub tells the metrics. Not here: the hub.

import type { SERVER_METRICS } from "@wscluster/protocol";
import type { Metrics } from "@wscluster/platform";
import type { HubHooks } from "../hub/hub.ts";

export type HubTelemetry = {
  readonly metrics: Pick<Metrics<keyof typeof SERVER_METRICS>, "add" | "observe">;
  readonly onMessagesOut: (count: number) => void;
};

export function hubHooksFor({
  metrics,
  onMessagesOut,
}: HubTelemetry): Pick<HubHooks, "onDropped" | "onDelivered" | "onGap" | "onSaved"> {
  return {
    onDropped: (count) => metrics.add("wscluster_delivery_failures_total", count, { why: "dropped" }),
    onDelivered: (count, failed) => {
      onMessagesOut(count);
      metrics.add("wscluster_deliveries_total", count);
      metrics.observe("wscluster_fanout_batch", count);
      if (failed > 0) metrics.add("wscluster_delivery_failures_total", failed, { why: "lagging" });
      if (count + failed > 0) metrics.observe("wscluster_send_success_ratio", count / (count + failed));
    },
    onSaved: (bytes) => metrics.add("wscluster_block_saved_bytes_total", bytes),
    onGap: (why, count) => metrics.add("wscluster_gaps_total", count, { why }),
  };
}
