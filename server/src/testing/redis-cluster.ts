// A real Redis Cluster of a test's own: three primaries, and what can happen to them. Not here: the servers themselves.

import { CLUSTER_SLOTS, clusterSlotOf } from "../broker/redis/cluster-slots.ts";
import { RedisServerError, startClusterNode, untilReplicated } from "./redis-server.ts";
import type { RedisServer } from "./redis-server.ts";

export type RedisCluster = {
  /** As the broker takes it. */
  readonly url: string;
  readonly nodes: RedisServer[];
  /** The node that has the key's slot; also after a failover. */
  ownerOf(key: string): Promise<RedisServer>;
  /** Moves the slot of the key, with what is in it, to another node. */
  moveSlot(key: string): Promise<void>;
  /** Promotes a replica that has all up to now and nothing of what `lost` does to the node of the key. */
  failOver(key: string, lost: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
};

export async function startCluster(): Promise<RedisCluster> {
  const nodes = await Promise.all([startClusterNode(), startClusterNode(), startClusterNode()]);
  const all = [...nodes];
  const [first] = nodes;
  if (!first) throw new RedisServerError("cannot start a cluster: it has no node");
  for (const [at, { client }] of nodes.entries()) {
    const share = CLUSTER_SLOTS / nodes.length;
    await client.call("cluster", "addslotsrange", Math.ceil(at * share), Math.ceil((at + 1) * share) - 1);
    await client.call("cluster", "set-config-epoch", at + 1);
    await client.call("cluster", "meet", "127.0.0.1", first.port);
  }
  await untilAll(nodes, async ({ client }) => {
    const info = String(await client.call("cluster", "info"));
    return info.includes("cluster_state:ok") && info.includes("cluster_known_nodes:3");
  });
  const idOf = async ({ client }: RedisServer): Promise<string> => String(await client.call("cluster", "myid"));
  const ownerOf = async (key: string): Promise<RedisServer> => {
    const slot = clusterSlotOf(key);
    for (const node of all) {
      const text = await node.client.call("cluster", "nodes").then(String, () => "");
      const own = text.split("\n").find((line) => line.includes("myself"));
      const ranges =
        own
          ?.split(" ")
          .slice(8)
          .filter((part) => !part.startsWith("[")) ?? [];
      const has = ranges.some((range) => {
        const [from = NaN, to = from] = range.split("-").map(Number);
        return slot >= from && slot <= to;
      });
      if (has && own?.includes("master")) return node;
    }
    throw new RedisServerError(`cannot find the node of ${key}: none says that it has the slot`);
  };
  return {
    url: `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(",")}`,
    nodes: all,
    ownerOf,
    async moveSlot(key) {
      const slot = clusterSlotOf(key);
      const source = await ownerOf(key);
      const target = all.find((node) => node !== source) ?? first;
      const [sourceId, targetId] = [await idOf(source), await idOf(target)];
      await target.client.call("cluster", "setslot", slot, "importing", sourceId);
      await source.client.call("cluster", "setslot", slot, "migrating", targetId);
      for (;;) {
        const keys = (await source.client.call("cluster", "getkeysinslot", slot, 100)) as readonly string[];
        if (keys.length === 0) break;
        await source.client.call("migrate", "127.0.0.1", target.port, "", 0, 5_000, "KEYS", ...keys);
      }
      for (const node of [target, source, ...all]) await node.client.call("cluster", "setslot", slot, "node", targetId);
    },
    async failOver(key, lost) {
      const primary = await ownerOf(key);
      const replica = await startClusterNode();
      all.push(replica);
      await replica.client.call("cluster", "meet", "127.0.0.1", primary.port);
      const id = await idOf(primary);
      const [replicaId, others] = [await idOf(replica), all.filter((node) => node !== primary)];
      const knows = async (node: RedisServer, who: string) =>
        String(await node.client.call("cluster", "nodes")).includes(who);
      await untilAll([replica], (node) => knows(node, id));
      for (const other of others) await replica.client.call("cluster", "meet", "127.0.0.1", other.port);
      await untilAll(others, (node) => knows(node, replicaId));
      await replica.client.call("cluster", "replicate", id);
      await untilAll([replica], async ({ client }) =>
        (await client.info("replication")).includes("master_link_status:up"),
      );
      await untilReplicated(primary, replica);
      // Stopped first: it cannot come back to the primary before that is gone.
      replica.freeze();
      await primary.client.call("client", "kill", "type", "replica");
      await lost();
      all.splice(all.indexOf(primary), 1);
      await primary.stop();
      replica.wake();
      await untilAll([replica], async ({ client }) => {
        await client.call("cluster", "failover", "takeover").catch(() => undefined);
        return (await client.info("replication")).includes("role:master");
      });
      // The others hear of it from each other.
      await untilAll(others, async ({ client }) => {
        const slots = (await client.call("cluster", "slots")) as readonly (readonly [
          number,
          number,
          readonly unknown[],
        ])[];
        return slots.every(([, , [, port]]) => port !== primary.port);
      });
    },
    stop: async () => void (await Promise.all(all.map((node) => node.stop()))),
  };
}

async function untilAll(nodes: readonly RedisServer[], is: (node: RedisServer) => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 15_000;
  for (const node of nodes) {
    while (!(await is(node))) {
      if (performance.now() > endMs)
        throw new RedisServerError("cannot make a cluster: its nodes did not agree in time");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
