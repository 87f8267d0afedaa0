import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLogger } from "@wscluster/platform";
import { hasRedisServer, startRedis, startRelay, untilReplicated } from "../testing/redis-server.ts";
import type { RedisServer, Relay } from "../testing/redis-server.ts";
import { describeBroker } from "./contract.suite.ts";
import { DEFAULT_POLICY } from "./port.ts";
import type { BrokerPolicy, HeldStreams, Publication } from "./port.ts";
import { RedisBroker } from "./redis.ts";
import type { RedisBrokerOptions } from "./redis.ts";

let prefixes = 0;

function brokerOn(port: number, more: Partial<RedisBrokerOptions> = {}): RedisBroker {
  return new RedisBroker({
    url: `redis://127.0.0.1:${port}`,
    prefix: "test",
    policy: () => DEFAULT_POLICY,
    log: createLogger("silent"),
    timeoutMs: 1_000,
    ...more,
  });
}

const silent = { publication: () => {}, ephemeral: () => {}, control: () => {}, resync: () => {} };

describe.skipIf(!hasRedisServer())("with redis-server installed", () => {
  let redis: RedisServer;
  let relay: Relay;
  const extra: RedisServer[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    relay = await startRelay(redis.port);
  });
  afterAll(async () => {
    await relay.stop();
    await Promise.all([redis, ...extra].map((server) => server.stop()));
  });

  describeBroker("RedisBroker", () => {
    prefixes += 1;
    const prefix = `test${prefixes}`;
    return Promise.resolve({
      brokers: [brokerOn(relay.port, { prefix }), brokerOn(relay.port, { prefix })] as const,
      // A true replica whose link is cut before the lost writes and that is promoted afterwards.
      async failOver(lost: () => Promise<void>) {
        const replica = await startRedis(redis.port);
        extra.push(redis);
        await expect
          .poll(() => replica.client.info("replication"), { timeout: 10_000, interval: 10 })
          .toContain("master_link_status:up");
        await untilReplicated(redis, replica);
        await redis.client.call("client", "kill", "type", "replica");
        await replica.client.call("replicaof", "127.0.0.1", "1");
        await lost();
        await replica.client.call("replicaof", "no", "one");
        redis = replica;
        relay.switchTo(replica.port);
        for (const server of extra.splice(0)) await server.stop();
      },
      freeze: () => redis.freeze(),
      wake: () => redis.wake(),
      close: () => Promise.resolve(),
    });
  });

  describe("RedisBroker on its own", () => {
    it("tells what its Redis may lose", async () => {
      const broker = brokerOn(redis.port);
      await broker.start(silent);
      try {
        await redis.client.config("SET", "maxmemory-policy", "allkeys-lru");
        expect(await broker.settings()).toEqual({ evictionPolicy: "allkeys-lru", replicas: 0, minReplicasToWrite: 0 });
        await redis.client.config("SET", "maxmemory-policy", "noeviction");
        await redis.client.config("SET", "min-replicas-to-write", "1");
        expect(await broker.settings()).toMatchObject({ evictionPolicy: "noeviction", minReplicasToWrite: 1 });
      } finally {
        await redis.client.config("SET", "min-replicas-to-write", "0");
        await broker.stop();
      }
    });

    const publishTo = (broker: RedisBroker, seq: number, data = "1", stream = "t/room") =>
      broker.publish({ stream, producer: "t/ann/p", gen: 1, seq, user: "ann", data });

    async function using(more: Partial<RedisBrokerOptions>, work: (broker: RedisBroker) => Promise<void>) {
      prefixes += 1;
      const broker = brokerOn(relay.port, { prefix: `test${prefixes}`, ...more });
      await broker.start(silent);
      try {
        await work(broker);
      } finally {
        await broker.stop();
      }
    }

    it("trims by length, and the epoch and offsets of a forgotten history go on", async () => {
      const policy: BrokerPolicy = { ...DEFAULT_POLICY, history: { maxLength: 10, ttlMs: 300_000 } };
      await using({ policy: () => policy }, async (broker) => {
        for (let seq = 1; seq <= 350; seq += 1) void publishTo(broker, seq);
        const { top, items } = await broker.read("t/room", 0, 1_000);
        expect(top.top).toBe(350);
        expect(items.length).toBeGreaterThanOrEqual(10);
        expect(items.length).toBeLessThan(200);
        await redis.client.del(...(await redis.client.keys(`test${prefixes}:*:x:*`)));
        const next = await publishTo(broker, 351);
        expect(next).toMatchObject({ kind: "stored", epoch: top.epoch, offset: 351 });
      });
    });

    it("starts a new life without a history when the meta was lost, for offsets start again", async () => {
      await using({}, async (broker) => {
        for (let seq = 1; seq <= 3; seq += 1) await publishTo(broker, seq);
        await redis.client.del(...(await redis.client.keys(`test${prefixes}:*:m:*`)));
        const { top, items } = await broker.read("t/room", 0, 10);
        expect(top).toMatchObject({ top: 0, lives: [] });
        expect(items).toEqual([]);
      });
    });

    it("writes offsets above 1e14 with all their digits", async () => {
      await using({}, async (broker) => {
        await publishTo(broker, 1);
        const [meta = ""] = await redis.client.keys(`test${prefixes}:*:m:*`);
        const far = 9_007_199_254_740_000;
        await redis.client.hset(meta, "offset", String(far), "replid", "0".repeat(40));
        expect(await publishTo(broker, 2)).toMatchObject({ kind: "stored", offset: far + 1 });
        expect((await broker.read("t/room", far, 5)).items.map(({ offset }) => offset)).toEqual([far + 1]);
        expect((await broker.read("t/room", far, 5)).top.lives[0]?.[1]).toBe(far);
      });
    });

    it("keeps time from falling when the store's clock goes back", async () => {
      const heard: Publication[] = [];
      prefixes += 1;
      const broker = brokerOn(relay.port, { prefix: `test${prefixes}` });
      await broker.start({ ...silent, publication: (publication) => void heard.push(publication) });
      try {
        await broker.subscribe("t/room");
        await publishTo(broker, 1);
        const [meta = ""] = await redis.client.keys(`test${prefixes}:*:m:*`);
        const future = Date.now() * 1_000 + 3_600_000_000;
        await redis.client.hset(meta, "ts", String(future));
        await publishTo(broker, 2);
        await expect.poll(() => heard.length).toBe(2);
        expect(heard[1]?.ts).toBe(future);
      } finally {
        await broker.stop();
      }
    });

    it("forgets silent producers of a busy stream", async () => {
      await using({}, async (broker) => {
        await publishTo(broker, 1);
        const [meta = ""] = await redis.client.keys(`test${prefixes}:*:m:*`);
        const old = Math.floor(Date.now() / 1_000) - 400_000;
        const fields: string[] = [];
        for (let n = 0; n < 761; n += 1) fields.push(`pr:t/old/${n}`, `1:5:9:${old}`);
        await redis.client.hset(meta, ...fields);
        expect(await redis.client.hlen(meta)).toBe(769);
        await broker.publish({ stream: "t/room", producer: "t/bob/p", gen: 1, seq: 1, user: "bob", data: "1" });
        for (let n = 0; n < 300; n += 1) {
          await broker.publish({ stream: "t/room", producer: `t/bob/${n}`, gen: 1, seq: 1, user: "bob", data: "1" });
        }
        expect(await redis.client.hlen(meta)).toBeLessThan(320);
        expect(await publishTo(broker, 1)).toMatchObject({ kind: "dup", offset: 1 });
      });
    });

    it("expires histories, metas and sessions by the policy", async () => {
      await using({}, async (broker) => {
        await publishTo(broker, 1);
        await broker.createSession({
          id: "s1",
          tenant: "t",
          user: "u",
          device: "",
          g: 1,
          owner: "p",
          digest: "x",
          channels: [],
        });
        const ttls: Record<string, number> = {};
        for (const key of await redis.client.keys(`test${prefixes}:*`)) {
          const family = key.split(":")[2] ?? "";
          ttls[family] = await redis.client.pttl(key);
        }
        expect(ttls["x"]).toBeGreaterThan(DEFAULT_POLICY.history.ttlMs - 10_000);
        expect(ttls["m"]).toBeGreaterThan(DEFAULT_POLICY.metaTtlMs - 10_000);
        expect(ttls["sess"]).toBeGreaterThan(DEFAULT_POLICY.sessionMaxAgeMs - 10_000);
      });
    });

    it("goes on after the scripts were flushed", async () => {
      await using({}, async (broker) => {
        await publishTo(broker, 1);
        await redis.client.script("FLUSH");
        const results = await Promise.all([2, 3, 4].map((seq) => publishTo(broker, seq)));
        expect(results.map(({ kind }) => kind)).toEqual(["stored", "stored", "stored"]);
      });
    });

    it("comes back after a silence that was longer than its connections bear", async () => {
      let resyncs = 0;
      prefixes += 1;
      const broker = brokerOn(redis.port, { prefix: `test${prefixes}`, timeoutMs: 200, silenceMs: 500 });
      await broker.start({ ...silent, resync: () => void (resyncs += 1) });
      const ticking = setInterval(() => void broker.receipts().catch(() => {}), 50);
      try {
        await broker.subscribe("t/room");
        await publishTo(broker, 1);
        redis.freeze();
        expect(await publishTo(broker, 2)).toEqual({ kind: "unavailable" });
        await new Promise((resolve) => setTimeout(resolve, 1_500));
        redis.wake();
        await expect.poll(async () => (await publishTo(broker, 2)).kind, { timeout: 5_000 }).toMatch(/stored|dup/);
        await expect.poll(() => resyncs, { timeout: 5_000 }).toBeGreaterThan(0);
        expect((await broker.read("t/room", 0, 10)).items.map(({ offset }) => offset)).toEqual([1, 2]);
      } finally {
        clearInterval(ticking);
        await broker.stop();
      }
    });

    it("asks for a comparison after its subscriber was cut, and hears again", async () => {
      let resyncs = 0;
      const heard: number[] = [];
      prefixes += 1;
      const broker = brokerOn(relay.port, { prefix: `test${prefixes}` });
      await broker.start({
        ...silent,
        publication: ({ offset }) => void heard.push(offset),
        resync: () => void (resyncs += 1),
      });
      try {
        await broker.subscribe("t/room");
        broker.cutSubscriber();
        await expect.poll(() => resyncs, { timeout: 5_000 }).toBe(1);
        await publishTo(broker, 1);
        await expect.poll(() => heard).toEqual([1]);
      } finally {
        await broker.stop();
      }
    });

    it("compares everything when the change index has been trimmed past its last look", async () => {
      await using({}, async (broker) => {
        const { top } = await broker.read("t/room", 0, 1);
        await broker.subscribe("t/room");
        const held: HeldStreams = {
          streams: () => ["t/room"],
          positionOf: () => ({ epoch: top.epoch, offset: 0 }),
        };
        expect(await broker.changed(held)).toEqual([]);
        await publishTo(broker, 1);
        const [recent = ""] = await redis.client.keys(`test${prefixes}:*:recent`);
        const [seq = ""] = await redis.client.keys(`test${prefixes}:*:seq`);
        await redis.client.del(recent);
        await redis.client.incrby(seq, 2_000);
        expect(await broker.changed(held)).toEqual(["t/room"]);
      });
    });
  });
});
