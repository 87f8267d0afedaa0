// The broker's contract on a Redis Cluster and behind Sentinels, and what only these can do. Not here: one Redis
// (redis.integration.test.ts).

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createLogger } from "@wscluster/platform";
import { startCluster } from "../testing/redis-cluster.ts";
import type { RedisCluster } from "../testing/redis-cluster.ts";
import { hasRedisServer, startRedis, startSentinel, untilReplicated } from "../testing/redis-server.ts";
import type { RedisServer } from "../testing/redis-server.ts";
import { describeBroker } from "./contract.suite.ts";
import { DEFAULT_POLICY } from "./port.ts";
import type { Publication } from "./port.ts";
import { RedisBroker } from "./redis.ts";
import type { RedisBrokerOptions } from "./redis.ts";
import { keysFor } from "./slots.ts";

let prefixes = 0;

function brokerAt(url: string, more: Partial<RedisBrokerOptions> = {}): RedisBroker {
  const log = createLogger("silent");
  return new RedisBroker({ url, prefix: "top", policy: () => DEFAULT_POLICY, log, timeoutMs: 1_000, ...more });
}

const silent = { publication: () => {}, ephemeral: () => {}, control: () => {}, resync: () => {} };
const publishTo = (broker: RedisBroker, stream: string, seq: number) =>
  broker.publish({ stream, producer: "t/ann/p", gen: 1, seq, user: "ann", data: String(seq) });

describe.skipIf(!hasRedisServer())("with redis-server installed", () => {
  describe("on a cluster", () => {
    let cluster: RedisCluster;
    beforeAll(async () => {
      cluster = await startCluster();
    }, 30_000);
    afterAll(() => cluster.stop());

    describeBroker("RedisBroker on a cluster", () => {
      prefixes += 1;
      const prefix = `c${prefixes}`;
      return Promise.resolve({
        brokers: [
          brokerAt(cluster.url, { prefix, timeoutMs: 2_500 }),
          brokerAt(cluster.url, { prefix, timeoutMs: 2_500 }),
        ] as const,
        failOver: (lost: () => Promise<void>) => cluster.failOver(keysFor(prefix).meta("t/room"), lost),
        freeze: () => cluster.nodes.forEach((node) => node.freeze()),
        wake: () => cluster.nodes.forEach((node) => node.wake()),
        close: () => Promise.resolve(),
      });
    });

    it("loses and repeats nothing while a slot moves to another node under traffic", async () => {
      const prefix = "moving";
      const [a, b] = [brokerAt(cluster.url, { prefix, timeoutMs: 5_000 }), brokerAt(cluster.url, { prefix })];
      const heard: number[] = [];
      let resyncs = 0;
      await a.start(silent);
      await b.start({
        ...silent,
        publication: ({ offset }: Publication) => void heard.push(offset),
        resync: () => void (resyncs += 1),
      });
      const stream = "t/moving";
      await b.subscribe(stream);
      const results: string[] = [];
      let isOver = false;
      const traffic = (async () => {
        for (let seq = 1; seq <= 400; seq += 1) {
          let { kind } = await publishTo(a, stream, seq);
          while (kind === "unavailable") ({ kind } = await publishTo(a, stream, seq));
          results.push(kind);
          if (isOver && seq > 100) break;
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
      })();
      await new Promise((resolve) => setTimeout(resolve, 100));
      await cluster.moveSlot(keysFor(prefix).meta(stream));
      await new Promise((resolve) => setTimeout(resolve, 300));
      isOver = true;
      await traffic;
      const { items, top } = await b.read(stream, 0, 1_000);
      expect(items.map(({ data }) => Number(data.toString()))).toEqual(results.map((_, at) => at + 1));
      // The subscription went along; what was said in between is found by the comparison that it asks for.
      await expect.poll(() => resyncs, { timeout: 5_000 }).toBeGreaterThan(0);
      await publishTo(a, stream, results.length + 1);
      await expect.poll(() => heard.at(-1), { timeout: 5_000 }).toBe(top.top + 1);
      await Promise.all([a.stop(), b.stop()]);
    }, 30_000);
  });

  describe("behind a Sentinel", () => {
    const servers: RedisServer[] = [];
    afterEach(async () => {
      await Promise.all(servers.splice(0).map((server) => server.stop()));
    });

    it("goes on with the replica when the primary dies, and tells which life ended where", async () => {
      const primary = await startRedis();
      const replica = await startRedis(primary.port);
      const sentinel = await startSentinel(primary.port);
      servers.push(primary, replica, sentinel);
      const replicaIs = async (text: string) => (await replica.client.info("replication")).includes(text);
      await expect.poll(() => replicaIs("master_link_status:up"), { timeout: 10_000 }).toBe(true);
      // Sentinels learn of replicas from the primary's INFO, every ten seconds at first.
      const known = async () => String(await sentinel.client.call("sentinel", "replicas", "main"));
      await expect.poll(known, { timeout: 20_000 }).toContain(String(replica.port));
      const broker = brokerAt(`redis+sentinel://127.0.0.1:${sentinel.port}/main`);
      await broker.start(silent);
      const first = await publishTo(broker, "t/room", 1);
      expect(first).toMatchObject({ kind: "stored", offset: 1 });
      await untilReplicated(primary, replica);
      await primary.stop();
      await expect
        .poll(async () => (await publishTo(broker, "t/room", 2)).kind, { timeout: 20_000 })
        .toMatch(/stored|dup/);
      const { top } = await broker.read("t/room", 0, 10);
      expect(top).toMatchObject({ top: 2, lives: [["epoch" in first ? first.epoch : "", 1]] });
      await broker.stop();
    }, 60_000);
  });

  describe("with durability replicated", () => {
    it("acknowledges only what a replica has, and what was sent again once", async () => {
      const primary = await startRedis();
      const replica = await startRedis(primary.port);
      const replicaIs = async (text: string) => (await replica.client.info("replication")).includes(text);
      await expect.poll(() => replicaIs("master_link_status:up"), { timeout: 10_000 }).toBe(true);
      const broker = brokerAt(`redis://127.0.0.1:${primary.port}`, { durability: "replicated", timeoutMs: 2_000 });
      await broker.start(silent);
      await expect
        .poll(async () => (await publishTo(broker, "t/room", 1)).kind, { timeout: 10_000 })
        .toMatch(/stored|dup/);
      replica.freeze();
      expect(await publishTo(broker, "t/room", 2)).toEqual({ kind: "unavailable" });
      // Stored, but not acknowledged: sent again it is still not where it should be.
      expect(await publishTo(broker, "t/room", 2)).toEqual({ kind: "unavailable" });
      replica.wake();
      await expect.poll(async () => (await publishTo(broker, "t/room", 2)).kind, { timeout: 10_000 }).toBe("dup");
      await broker.stop();
      await Promise.all([primary.stop(), replica.stop()]);
    }, 30_000);
  });
});
