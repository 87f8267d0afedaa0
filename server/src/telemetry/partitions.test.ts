import { SignJWT } from "jose";
import { afterEach, describe, expect, it } from "vitest";
import { CONTRACT_PATHS, PARTITIONS, partitionOf } from "@wscluster/protocol";
import type { PodState } from "@wscluster/protocol";
import { MemoryStore } from "../testing/index.ts";
import type { TestServer } from "../testing/index.ts";
import { createStage } from "../testing/stage.ts";

const { server, connect, clear } = createStage();
afterEach(clear);

const jwtSecret = "a-secret-of-32-characters-000000";
const tokenOf = (claims: Readonly<Record<string, unknown>>) =>
  new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(jwtSecret));

async function user(of: TestServer, claims: Readonly<Record<string, unknown>>) {
  const client = await connect(of.url);
  client.hello({ token: await tokenOf(claims) });
  const welcome = await client.find("welcome");
  await client.find("ready");
  return { client, welcome };
}

const stateOf = async (one: TestServer) =>
  (await (await fetch(one.adminUrl + CONTRACT_PATHS.state)).json()) as PodState;
const linesOf = async (one: TestServer, name: string) => {
  const text = await (await fetch(one.adminUrl + CONTRACT_PATHS.metrics)).text();
  return text.split("\n").filter((line) => line.startsWith(`${name}{`));
};
const sum = (table: readonly number[] = []) => table.reduce((all, one) => all + one, 0);

describe("partitionOf", () => {
  it("is the same everywhere, whatever the language of the server", () => {
    expect(["", "ann", "acme", "größe"].map(partitionOf)).toEqual([1, 48, 90, 73]);
  });

  it("spreads keys that differ in little", () => {
    const counts = Array.from({ length: PARTITIONS }, () => 0);
    for (let index = 0; index < 12_800; index += 1) {
      const partition = partitionOf(`user-${index}`);
      counts[partition] = (counts[partition] ?? 0) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(50);
    expect(Math.max(...counts)).toBeLessThan(160);
  });
});

describe("the partitions of a pod", () => {
  it("count by claim, else tenant, else user, and by the weight that a user has", async () => {
    const a = await server({ jwtSecret });
    await user(a, { sub: "ann", tenant: "acme", key: "board-7", weight: 7.2 });
    await user(a, { sub: "bob", tenant: "acme" });
    await user(a, { sub: "cat", weight: 99 });
    const { partitions, connections, slots } = await stateOf(a);
    expect([connections, slots]).toEqual([3, 7 + 1 + 10]);
    const at = (table: readonly number[] | undefined) =>
      ["board-7", "acme", "cat"].map((key) => table?.[partitionOf(key)]);
    expect(at(partitions?.connections)).toEqual([1, 1, 1]);
    expect(at(partitions?.weights)).toEqual([7, 1, 10]);
    expect([partitions?.connections.length, sum(partitions?.connections)]).toEqual([PARTITIONS, 3]);
    const lines = (key: string, value: number) => `{partition="${partitionOf(key)}"} ${value}`;
    expect(new Set(await linesOf(a, "wscluster_partition_weight"))).toEqual(
      new Set(
        [lines("board-7", 7), lines("acme", 1), lines("cat", 10)].map((line) => `wscluster_partition_weight${line}`),
      ),
    );
  });

  it("lose a heavy user with everything but the messages, and never count backwards", async () => {
    const a = await server({ jwtSecret });
    expect(await linesOf(a, "wscluster_partition_connections")).toEqual([
      'wscluster_partition_connections{partition="0"} 0',
    ]);
    const { client } = await user(a, { sub: "cat", weight: 4 });
    const { client: other } = await user(a, { sub: "dog" });
    client.send({ t: "sub", i: 1, c: "room" });
    other.send({ t: "sub", i: 1, c: "room" });
    await Promise.all([client.find("sub.ok"), other.find("sub.ok")]);
    client.send({ t: "pub", i: 2, c: "room", s: 1, d: 1 });
    await Promise.all([client.find("pub"), other.find("pub"), client.find("pub.ok")]);
    const before = (await stateOf(a)).partitions?.messages ?? [];
    expect(before[partitionOf("cat")]).toBeGreaterThanOrEqual(4);
    expect(before[partitionOf("dog")]).toBeGreaterThanOrEqual(3);
    client.ws.terminate();
    await expect.poll(() => a.pod.registry.all.size).toBe(1);
    const { partitions, slots } = await stateOf(a);
    expect([slots, partitions?.connections[partitionOf("cat")]]).toEqual([1, 0]);
    expect(partitions?.messages[partitionOf("cat")]).toBe(before[partitionOf("cat")]);
    expect(await linesOf(a, "wscluster_partition_connections")).toEqual([
      `wscluster_partition_connections{partition="${partitionOf("dog")}"} 1`,
    ]);
  });

  it("go along with a session that moves, without its token", async () => {
    const store = new MemoryStore();
    const [a, b] = [await server({ jwtSecret, broker: store }), await server({ jwtSecret, broker: store })];
    const { client, welcome } = await user(a, { sub: "ann", key: "board-7", weight: 3 });
    a.forceMove(welcome.session, b);
    const migrate = await client.find("migrate");
    const next = await connect(b.url, migrate);
    const resume = { session: welcome.session, secret: welcome.secret ?? "", pos: [] };
    next.hello({ resume, ticket: migrate.ticket, prepare: true });
    await next.find("ready");
    expect((await stateOf(b)).slots).toBe(1);
    next.send({ t: "commit", i: 1 });
    await next.find("commit.ok");
    await expect.poll(async () => (await stateOf(a)).partitions?.weights.some((weight) => weight > 0)).toBe(false);
    const { partitions, slots } = await stateOf(b);
    expect([slots, partitions?.weights[partitionOf("board-7")]]).toEqual([3, 3]);
  });

  it("fill a pod with fewer heavy users", async () => {
    const a = await server({ jwtSecret, settings: { maxPerPod: 5 } });
    await user(a, { sub: "cat", weight: 5 });
    await expect(connect(a.url)).rejects.toThrow("503");
  });
});
