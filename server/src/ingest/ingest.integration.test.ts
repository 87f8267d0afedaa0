// The Redis channel with real Redis: what a back end publishes reaches clients, once, also when the pod that applies it dies.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLogger } from "@wscluster/platform";
import { RedisBroker } from "../broker/redis.ts";
import { DEFAULT_POLICY } from "../broker/port.ts";
import { SERVER_VARIABLES } from "../config.ts";
import { startServer } from "../testing/index.ts";
import { RawClient } from "../testing/raw-client.ts";
import { hasRedisServer, startRedis } from "../testing/redis-server.ts";
import type { RedisServer } from "../testing/redis-server.ts";
import { ingestFor } from "./ingest.ts";

const log = createLogger("silent");
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe.skipIf(!hasRedisServer())("a Redis channel", () => {
  let redis: RedisServer;
  beforeEach(async () => {
    redis = await startRedis();
    cleanups.push(() => redis.stop());
  });

  async function pod() {
    const url = `redis://127.0.0.1:${redis.port}`;
    const server = await startServer({
      broker: new RedisBroker({ url, prefix: "t", policy: () => DEFAULT_POLICY, log }),
    });
    const variables = SERVER_VARIABLES.parse({
      WSC_REDIS_URL: url,
      WSC_REDIS_PREFIX: "t",
      WSC_INGEST_REDIS_CHANNEL: "events",
    });
    const ingest = ingestFor(variables, server.pod, log);
    ingest.start();
    cleanups.push(async () => {
      await ingest.stop();
      await server.stop();
    });
    return { server, ingest };
  }

  const publish = (message: object) => redis.client.publish("events", JSON.stringify(message));
  const toRoom = (n: number) => publish({ target_type: "channel", target_id: "room", id: `m-${n}`, data: n });

  it("reaches users, sessions, channels, tenants and everybody, wherever they are", { timeout: 30_000 }, async () => {
    const [a, b] = [await pod(), await pod()];
    const clients = await Promise.all(
      [a, b].map(async ({ server }, at) => {
        const client = await RawClient.connect(server.url);
        client.hello({
          user: ["ann", "bob"][at] ?? "",
          sub: ["room", "~me", "~session", "~tenant", "~all"].map((c) => ({ c })),
        });
        await client.find("ready");
        return client;
      }),
    );
    const [ann, bob] = clients as [RawClient, RawClient];
    const { session } = await bob.find("welcome");
    await expect.poll(() => redis.client.pubsub("NUMSUB", "events")).toEqual(["events", 2]);
    await expect.poll(() => redis.client.exists("t:ingest:events")).toBe(1);
    // The holder knows it only when it has the answer.
    for (let n = 1; ann.publications("room").length === 0; n += 1) await toRoom(n);
    await publish({ target_type: "user", target_id: "ann", data: "to ann" });
    await publish({ target_type: "session", target_id: session, data: "to bob's session" });
    await publish({ target_type: "tenant", target_id: "default", data: "to the tenant" });
    await publish({ target_type: "all", data: "to all" });
    for (const client of clients) await client.find("pub", ({ d }) => d === "to all");
    await ann.find("pub", ({ c, d }) => c === "~me" && d === "to ann");
    await bob.find("pub", ({ c, d }) => c === "~session" && d === "to bob's session");
    for (const client of clients) await client.find("pub", ({ d }) => d === "to the tenant");
    expect(bob.publications("~me")).toEqual([]);
    expect(ann.publications("~all")).toMatchObject([{ p: "~server/ingest" }]);
  });

  it("loses and doubles nothing that has an id when its pod is killed in mid-flow", { timeout: 60_000 }, async () => {
    const [a, b] = [await pod(), await pod()];
    const reader = await RawClient.connect(b.server.url);
    reader.hello({ user: "ann", sub: [{ c: "room" }] });
    await reader.find("ready");
    await expect.poll(() => redis.client.pubsub("NUMSUB", "events")).toEqual(["events", 2]);
    const holder = () => redis.client.get("t:ingest:events");
    await expect.poll(holder).not.toBeNull();
    const dead = (await holder()) === a.server.podKey ? a : b;
    const other = dead === a ? b : a;
    const got = async () => {
      const { items } = await other.server.pod.services.broker.read("default/room", 0, 5_000);
      return items.map(({ data }) => Number(data.toString()));
    };
    let sent = 0;
    const send = async (count: number) => {
      for (const end = sent + count; sent < end;) await toRoom((sent += 1));
    };
    await send(200);
    await expect.poll(async () => (await got()).length).toBeGreaterThan(0);
    // No farewell: the lease stands until it ends by itself.
    dead.ingest.kill();
    await dead.server.kill();
    await send(200);
    await expect.poll(holder, { timeout: 20_000 }).toBe(other.server.podKey);
    await send(200);
    await expect.poll(got, { timeout: 20_000 }).toEqual(Array.from({ length: 600 }, (_, at) => at + 1));
  });
});
