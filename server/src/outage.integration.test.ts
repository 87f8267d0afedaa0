// Two servers on a real Redis: outages of the store, and real processes that are killed or told to end.

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createLogger } from "@wscluster/platform";
import type { PodState } from "@wscluster/protocol";
import { DEFAULT_POLICY } from "./broker/port.ts";
import type { Publication } from "./broker/port.ts";
import { RedisBroker } from "./broker/redis.ts";
import type { RawClient } from "./testing/raw-client.ts";
import { hasRedisServer, startRedis } from "./testing/redis-server.ts";
import type { RedisServer } from "./testing/redis-server.ts";
import { createStage } from "./testing/stage.ts";

const { server, connect, clear } = createStage();
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);
const offsets = (client: RawClient) => client.publications("room").map(({ o }) => o);

describe.skipIf(!hasRedisServer())("with redis-server installed", () => {
  let redis: RedisServer;
  let prefix = "";
  let count = 0;
  const processes: ChildProcess[] = [];

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  beforeEach(() => {
    count += 1;
    prefix = `outage${count}`;
  });
  afterEach(async () => {
    redis.wake();
    await clear();
    for (const child of processes.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
    }
  });

  const brokerWith = (drops?: (publication: Publication) => boolean) =>
    new RedisBroker({
      url: `redis://127.0.0.1:${redis.port}`,
      prefix,
      policy: () => DEFAULT_POLICY,
      log: createLogger("silent"),
      timeoutMs: 1_500,
      ...(drops ? { drops } : {}),
    });

  async function member(url: string, id: string): Promise<RawClient> {
    const client = await connect(url);
    client.hello({ user: id, producer: { id, gen: 1 }, sub: [{ c: "room" }] });
    await client.find("ready");
    return client;
  }

  it("keeps all clients while the store is silent, answers publishes in a bounded time, and catches up", async () => {
    const [a, b] = [await server({ broker: brokerWith() }), await server({ broker: brokerWith() })];
    const [ann, bob] = [await member(a.url, "ann"), await member(b.url, "bob")];
    ann.send({ t: "pub", i: 1, c: "room", s: 1, d: 1 });
    await bob.find("pub", ({ o }) => o === 1);
    redis.freeze();
    ann.send({ t: "pub", i: 2, c: "room", s: 2, d: 2 });
    ann.send({ t: "pub", i: 3, c: "room", s: 3, d: 3 });
    expect(await ann.find("err", ({ i }) => i === 2)).toMatchObject({ code: "unavailable" });
    await expect.poll(async () => (await a.state()).broker.ok, { timeout: 6_000 }).toBe(false);
    expect(a.pod.isReady()).toBe(true);
    redis.wake();
    // Both were on their way: sent again they must be found stored, not stored again.
    ann.send({ t: "pub", i: 4, c: "room", s: 2, d: 2 });
    ann.send({ t: "pub", i: 5, c: "room", s: 3, d: 3 });
    ann.send({ t: "pub", i: 6, c: "room", s: 4, d: 4 });
    await ann.find("pub.ok", ({ i, o }) => i === 6 && o === 4);
    await Promise.all([ann.find("pub", ({ o }) => o === 4), bob.find("pub", ({ o }) => o === 4)]);
    for (const client of [ann, bob]) {
      expect(offsets(client)).toEqual([1, 2, 3, 4]);
      expect(client.publications("room").map(({ d }) => d)).toEqual([1, 2, 3, 4]);
    }
    await expect.poll(async () => (await b.state()).broker.ok, { timeout: 6_000 }).toBe(true);
    expect([a.sessions().length, b.sessions().length]).toEqual([1, 1]);
  }, 30_000);

  it("fills what a cut subscriber and a lost message left out", async () => {
    const dropped = new Set([2]);
    const broker = brokerWith(({ offset }) => dropped.has(offset));
    const [a, b] = [await server({ broker: brokerWith() }), await server({ broker, pollMs: 200 })];
    const [ann, bob] = [await member(a.url, "ann"), await member(b.url, "bob")];
    for (const s of [1, 2, 3]) ann.send({ t: "pub", i: s, c: "room", s, d: s });
    await bob.find("pub", ({ o }) => o === 3);
    broker.cutSubscriber();
    for (const s of [4, 5]) ann.send({ t: "pub", i: s, c: "room", s, d: s });
    await bob.find("pub", ({ o }) => o === 5);
    dropped.add(6);
    ann.send({ t: "pub", i: 6, c: "room", s: 6, d: 6 });
    await bob.find("pub", ({ o }) => o === 6);
    expect(offsets(bob)).toEqual(range(1, 6));
    expect(bob.frames.some(({ t }) => t === "gap" || t === "diverged")).toBe(false);
  });

  it("goes on after the store was restarted empty, telling that the stream was lost", async () => {
    const a = await server({ broker: brokerWith(), pollMs: 200 });
    const ann = await member(a.url, "ann");
    ann.send({ t: "pub", i: 1, c: "room", s: 1, d: 1 });
    const { e } = await ann.find("pub.ok");
    await redis.client.flushall();
    const gap = await ann.find("gap");
    expect(gap).toMatchObject({ from: 1, to: 0, why: "stream-lost" });
    expect(gap.e).not.toBe(e);
    ann.send({ t: "pub", i: 2, c: "room", s: 2, d: 2 });
    expect(await ann.find("err", ({ i }) => i === 2)).toMatchObject({ code: "out-of-order", last: 0 });
  });

  type Process = {
    readonly url: string;
    readonly adminUrl: string;
    readonly key: string;
    readonly child: ChildProcess;
  };

  async function startProcess(): Promise<Process> {
    const child = spawn(
      process.execPath,
      ["--conditions=@wscluster/source", new URL("main.ts", import.meta.url).pathname],
      {
        env: {
          PATH: process.env["PATH"],
          WSC_PORT: "0",
          WSC_ADMIN_PORT: "0",
          WSC_HOST: "127.0.0.1",
          WSC_REDIS_URL: `redis://127.0.0.1:${redis.port}`,
          WSC_REDIS_PREFIX: prefix,
          WSC_TICKET_KEYS: "a-ticket-key-of-the-test",
          WSC_TERMINATION_SECONDS: "20",
        },
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    processes.push(child);
    const lines = createInterface({ input: child.stdout });
    for await (const line of lines) {
      const entry = JSON.parse(line) as { msg: string; port: number; adminPort: number; podKey: string };
      if (entry.msg !== "server listens") continue;
      child.stdout.resume();
      return {
        url: `ws://127.0.0.1:${entry.port}/ws`,
        adminUrl: `http://127.0.0.1:${entry.adminPort}`,
        key: entry.podKey,
        child,
      };
    }
    throw new Error("the server process ended");
  }

  const resumeOf = async (client: RawClient) => {
    const welcome = await client.find("welcome");
    const last = client.publications("room").at(-1);
    const { e, o } = await client.find("sub.ok");
    return {
      session: welcome.session,
      secret: welcome.secret ?? "",
      pos: [["room", e, last?.o ?? o] as const],
    };
  };

  it("loses nothing when a process is killed: another one takes the session over", async () => {
    const [one, two] = await Promise.all([startProcess(), startProcess()]);
    const [ann, bob] = [await member(one.url, "ann"), await member(two.url, "bob")];
    ann.send({ t: "pub", i: 1, c: "room", s: 1, d: 1 });
    await Promise.all([ann.find("pub"), bob.find("pub")]);
    ann.send({ t: "pub", i: 2, c: "room", s: 2, d: 2 });
    one.child.kill("SIGKILL");
    expect(await ann.closed).toBe(1006);
    const again = await connect(two.url);
    again.hello({ user: "ann", producer: { id: "ann", gen: 1 }, resume: await resumeOf(ann) });
    expect(await again.find("welcome")).toMatchObject({ resumed: true, g: 2, user: "ann" });
    await again.find("ready");
    // Nobody knows whether the second one was stored; sending it again settles that.
    again.send({ t: "pub", i: 3, c: "room", s: 2, d: 2 });
    await again.find("pub.ok", ({ i, o }) => i === 3 && o === 2);
    await Promise.all([again.find("pub", ({ o }) => o === 2), bob.find("pub", ({ o }) => o === 2)]);
    expect([...offsets(ann), ...offsets(again)].filter((o, n, all) => all.indexOf(o) === n)).toEqual([1, 2]);
    expect(offsets(bob)).toEqual([1, 2]);
  }, 30_000);

  it("moves all to a peer on SIGTERM, and ends with 0", async () => {
    const [one, two] = await Promise.all([startProcess(), startProcess()]);
    const ann = await member(one.url, "ann");
    const ended = new Promise<number | null>((resolve) => one.child.once("exit", resolve));
    one.child.kill("SIGTERM");
    await ann.find("pace");
    const migrate = await ann.find("migrate");
    expect(migrate.pod).toBe(two.key);
    const next = await connect(two.url, migrate);
    next.hello({ producer: { id: "ann", gen: 1 }, resume: await resumeOf(ann), ticket: migrate.ticket, prepare: true });
    await next.find("ready");
    next.send({ t: "commit", i: 1 });
    await next.find("commit.ok");
    ann.close();
    expect(await ended).toBe(0);
    const state = (await (await fetch(`${two.adminUrl}/contract/v1/state`)).json()) as PodState;
    expect(state).toMatchObject({ connections: 1, arrivals: { named: 1 } });
    expect(state.receipts[`evacuate/${one.key}`]).toMatchObject({ offered: 1, moved: 1, cut: 0, late: 0 });
  }, 30_000);
});
