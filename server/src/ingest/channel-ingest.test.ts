import { afterEach, describe, expect, it } from "vitest";
import { createLogger } from "@wscluster/platform";
import { BrokerUnavailable } from "../broker/port.ts";
import type { IngestChannel } from "../broker/redis/ingest-channel.ts";
import { MemoryStore, startServer } from "../testing/index.ts";
import type { TestServer } from "../testing/index.ts";
import { ChannelIngest } from "./channel-ingest.ts";

/** One Redis: what is sent reaches everybody, one holds the lease. */
class Redis {
  holder = "";
  isAway = false;
  readonly listeners: ((message: Buffer) => void)[] = [];

  send(message: unknown): void {
    const text = Buffer.from(typeof message === "string" ? message : JSON.stringify(message));
    for (const listener of this.listeners) listener(text);
  }

  channel(): IngestChannel {
    return {
      name: "events",
      start: (onMessage) => void this.listeners.push(onMessage),
      stop: () => {},
      hold: async (holder) => {
        if (this.isAway) throw new BrokerUnavailable("away");
        this.holder ||= holder;
        return this.holder === holder;
      },
      release: async (holder) => {
        if (this.holder === holder) this.holder = "";
      },
    };
  }
}

const servers: TestServer[] = [];
const ingests: ChannelIngest[] = [];
afterEach(async () => {
  for (const ingest of ingests.splice(0)) ingest.kill();
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function stage() {
  const redis = new Redis();
  const store = new MemoryStore();
  const clock = { ms: 1_000 };
  const warnings: unknown[] = [];
  const pod = async () => {
    const server = await startServer({ broker: store });
    servers.push(server);
    const ingest = new ChannelIngest({
      channel: redis.channel(),
      publisher: server.pod.publisher,
      podKey: server.podKey,
      metrics: server.pod.metrics,
      log: { ...createLogger("silent"), warn: (details: unknown) => void warnings.push(details) },
      now: () => clock.ms,
    });
    ingests.push(ingest);
    ingest.start();
    await ingest.renew();
    return { ingest, server };
  };
  const [a, b] = [await pod(), await pod()];
  const stored = async () => {
    const { items } = await a.server.pod.services.broker.read("default/room", 0, 100);
    return items.map(({ data }) => JSON.parse(data.toString()) as unknown);
  };
  const message = (data: unknown, more = {}) => ({ target_type: "channel", target_id: "room", data, ...more });
  return { redis, clock, warnings, a, b, stored, message };
}

describe("messages of a Redis channel", () => {
  it("are applied by one pod of those that hear them, in order", async () => {
    const { redis, a, b, stored, message } = await stage();
    expect([a.ingest.holds, b.ingest.holds]).toEqual([true, false]);
    for (const n of [1, 2, 3, 3]) redis.send(message(n));
    await expect.poll(stored).toEqual([1, 2, 3, 3]);
    redis.send(message("x", { id: "m-1" }));
    redis.send(message("x", { id: "m-1" }));
    redis.send(message("end"));
    await expect.poll(stored).toEqual([1, 2, 3, 3, "x", "end"]);
  });

  it("with an id are lost by no death of the pod that applies them, and stored once", async () => {
    const { redis, clock, a, b, stored, message } = await stage();
    redis.send(message(1, { id: "1" }));
    await expect.poll(stored).toEqual([1]);
    a.ingest.kill();
    redis.send(message(2, { id: "2" }));
    redis.send(message("without"));
    clock.ms += 6_001;
    await b.ingest.renew();
    expect(b.ingest.holds).toBe(false);
    redis.holder = "";
    await b.ingest.renew();
    redis.send(message(3, { id: "3" }));
    await expect.poll(stored).toEqual([1, 2, 3]);
  });

  it("are nobody's when the lease could not be renewed, and the next holder's as soon as it is given up", async () => {
    const { redis, clock, a, b, stored, message } = await stage();
    redis.isAway = true;
    clock.ms += 6_001;
    await a.ingest.renew();
    redis.send(message("kept", { id: "1" }));
    redis.send(message("lost"));
    redis.isAway = false;
    await a.ingest.renew();
    await a.ingest.stop();
    await b.ingest.renew();
    redis.send(message("next"));
    await expect.poll(stored).toEqual(["kept", "next"]);
  });

  it("that are bad are counted and left out, and logged once a minute", async () => {
    const { redis, clock, warnings, a, stored, message } = await stage();
    for (let n = 0; n < 5; n += 1) redis.send("{");
    redis.send({ target_type: "nobody", data: 1 });
    redis.send(message("good"));
    await expect.poll(stored).toEqual(["good"]);
    expect(warnings).toMatchObject([{ code: "bad-json" }, { code: "bad-target" }]);
    clock.ms += 5_000;
    await a.ingest.renew();
    clock.ms += 5_000;
    await a.ingest.renew();
    for (let renewals = 0; renewals < 10; renewals += 1) {
      clock.ms += 5_000;
      await a.ingest.renew();
    }
    redis.send("{");
    expect(warnings.at(-1)).toMatchObject({ code: "bad-json", more: 4 });
    const text = await a.server.pod.metrics.text();
    expect(text).toContain('wscluster_ingest_messages_total{source="redis",result="bad-json"} 6');
    expect(text).toContain('wscluster_ingest_messages_total{source="redis",result="stored"} 1');
  });

  it("that the clock lets forget are not applied by a later holder", async () => {
    const { redis, clock, a, b, stored, message } = await stage();
    a.ingest.kill();
    redis.send(message("old", { id: "1" }));
    clock.ms += 10_001;
    redis.holder = "";
    await b.ingest.renew();
    redis.send(message("new", { id: "2" }));
    await expect.poll(stored).toEqual(["new"]);
  });
});
