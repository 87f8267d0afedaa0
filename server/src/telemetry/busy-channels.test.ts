import { describe, expect, it } from "vitest";
import { createMetrics } from "@wscluster/platform";
import { SERVER_METRICS } from "@wscluster/protocol";
import { Registry } from "../session/registry.ts";
import { BUSY_CHANNELS, BusyChannels } from "./busy-channels.ts";
import { Gauges } from "./gauges.ts";

const channel = (stream: string, delivered: number) => ({ stream, delivered });

describe("BusyChannels", () => {
  it("names the busiest with their rates, and starts to count anew", () => {
    const busy = new BusyChannels(1_000);
    const channels = [channel("t/slow", 4), channel("t/fast", 50), channel("t/faster", 500)];
    busy.sample(channels, 3_000);
    expect(busy.rates).toEqual([]);
    busy.sample(channels, 6_000);
    expect(busy.rates).toEqual([
      { channel: "t/faster", deliveriesPerSecond: 100 },
      { channel: "t/fast", deliveriesPerSecond: 10 },
    ]);
    busy.sample(channels, 11_000);
    expect(busy.rates).toEqual([]);
  });

  it("names few of many, and lives through a clock that steps back", () => {
    const busy = new BusyChannels(9_000);
    const many = Array.from({ length: 1_000 }, (_, index) => channel(`t/${index}`, 1_000 + index));
    busy.sample(many, 1_000);
    expect(busy.rates).toHaveLength(BUSY_CHANNELS);
    expect(busy.rates[0]).toEqual({ channel: "t/999", deliveriesPerSecond: 399.8 });
  });

  it("leave the metrics when others are busier", async () => {
    const metrics = createMetrics(SERVER_METRICS);
    const gauges = new Gauges(metrics, new Registry());
    const load = { cpu: 0, rssBytes: 1, eventLoopLagMs: 0, messagesInPerSecond: 0, messagesOutPerSecond: 0 };
    const facts = {
      load,
      memoryLimitBytes: 1,
      pressure: 0,
      brokerOk: true,
      configGeneration: 0,
      configOk: true,
      lobby: { perSecond: 1, waiting: 0 },
    };
    const lines = async (names: readonly string[]) => {
      const channels = names.map((name) => ({ channel: name, deliveriesPerSecond: 2 }));
      gauges.measure({ ...facts, channels }, 0);
      const text = await metrics.text();
      return text.split("\n").filter((line) => line.startsWith("wscluster_channel_deliveries_per_second{"));
    };
    expect(await lines(["t/a", 't/"b"'])).toEqual([
      'wscluster_channel_deliveries_per_second{channel="t/a"} 2',
      'wscluster_channel_deliveries_per_second{channel="t/\\"b\\""} 2',
    ]);
    expect(await lines(["t/c"])).toEqual(['wscluster_channel_deliveries_per_second{channel="t/c"} 2']);
  });
});
