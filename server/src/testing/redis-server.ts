// A real redis-server of a test's own, on a free port, and a relay in front of it that can be pointed at another one.
// Not here: the broker.

import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";

export class RedisServerError extends Error {
  readonly code = "redis-server";
}

/** Whether this machine has the program. */
export function hasRedisServer(): boolean {
  return spawnSync("redis-server", ["--version"], { stdio: "ignore" }).status === 0;
}

export type RedisServer = {
  readonly port: number;
  readonly pid: number;
  readonly client: Redis;
  /** Stops answering without closing anything (SIGSTOP) until `wake`. */
  freeze(): void;
  wake(): void;
  stop(): Promise<void>;
};

const START_WITHIN_MS = 10_000;
const MOST_STARTS = 3;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Of a lower range, because a node of a cluster listens 10,000 above its port too. */
async function freeNodePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    if ((await isFree(port)) && (await isFree(port + 10_000))) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const isListening = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => resolve(true));
  });
  if (isListening) await new Promise((resolve) => server.close(resolve));
  return isListening;
}

/** @param replicaOf port of the primary. */
export function startRedis(replicaOf?: number): Promise<RedisServer> {
  return start(freePort, replicaOf === undefined ? [] : ["--replicaof", "127.0.0.1", String(replicaOf)]);
}

/** Waits until the replica has all that the primary has now. WAIT would only wait for what its own connection wrote. */
export async function untilReplicated(primary: RedisServer, replica: RedisServer): Promise<void> {
  const offsetOf = async ({ client }: RedisServer, field: string) =>
    Number(new RegExp(`${field}:(\\d+)`).exec(await client.info("replication"))?.[1] ?? NaN);
  const written = await offsetOf(primary, "master_repl_offset");
  for (const until = Date.now() + START_WITHIN_MS; ;) {
    if ((await offsetOf(replica, "slave_repl_offset")) >= written) return;
    if (Date.now() > until) throw new RedisServerError("the replica does not catch up with its primary");
  }
}

/** A node that is not part of a cluster yet. */
export function startClusterNode(): Promise<RedisServer> {
  const more = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no"];
  return start(freeNodePort, more);
}

/** A Sentinel of its own that watches the primary at this port under the name `main`. */
export async function startSentinel(primary: number): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), "wsc-sentinel-"));
  const file = join(directory, "sentinel.conf");
  const lines = [`sentinel monitor main 127.0.0.1 ${primary} 1`, "sentinel down-after-milliseconds main 500"];
  await writeFile(file, `${[...lines, "sentinel failover-timeout main 2000"].join("\n")}\n`);
  const sentinel = await start(freePort, [], [file, "--sentinel"]);
  return { ...sentinel, stop: () => sentinel.stop().then(() => rm(directory, { recursive: true, force: true })) };
}

/** A port that was free a moment ago may be somebody's own end of a connection by now: then the server ends at once. */
async function start(
  choosePort: () => Promise<number>,
  more: readonly string[],
  first: readonly string[] = [],
): Promise<RedisServer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startAt(await choosePort(), more, first);
    } catch (error) {
      if (attempt === MOST_STARTS) throw error;
    }
  }
}

async function startAt(port: number, more: readonly string[], first: readonly string[]): Promise<RedisServer> {
  // A replica writes what it loads to its directory, and a server reads what it finds there: never a shared one.
  const directory = await mkdtemp(join(tmpdir(), "wsc-redis-"));
  const args = [...first, "--port", String(port), "--bind", "127.0.0.1", "--dir", directory];
  if (first.length === 0) args.push("--save", "", "--appendonly", "no", "--repl-diskless-sync", "yes");
  if (first.length === 0) args.push("--repl-diskless-sync-delay", "0");
  args.push(...more);
  const child = spawn("redis-server", args, { stdio: "ignore" });
  const client = new Redis({
    port,
    host: "127.0.0.1",
    protocol: 2,
    retryStrategy: () => 20,
    maxRetriesPerRequest: null,
  });
  client.on("error", () => {});
  const { pid } = child;
  if (pid === undefined) throw new RedisServerError("cannot start redis-server: the program could not be run");
  await answers(client, child);
  return {
    port,
    pid,
    client,
    freeze: () => void process.kill(pid, "SIGSTOP"),
    wake: () => void process.kill(pid, "SIGCONT"),
    async stop() {
      client.disconnect();
      if (child.exitCode === null && child.signalCode === null) {
        const ended = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGKILL");
        await ended;
      }
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function answers(client: Redis, child: ChildProcess): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const fail = (why: string) => {
      child.kill("SIGKILL");
      client.disconnect();
      reject(new RedisServerError(`cannot start redis-server: ${why}`));
    };
    timer = setTimeout(() => fail(`no answer within ${START_WITHIN_MS} ms`), START_WITHIN_MS);
    child.once("exit", (code) => fail(`it ended with ${code}`));
  });
  try {
    await Promise.race([client.ping(), late]);
  } finally {
    clearTimeout(timer);
    child.removeAllListeners("exit");
    late.catch(() => {});
  }
}

export type Relay = {
  readonly port: number;
  /** New connections go there; those that are open are broken. */
  switchTo(port: number): void;
  stop(): Promise<void>;
};

export async function startRelay(target: number): Promise<Relay> {
  let upstream = target;
  const open = new Set<Socket>();
  const server: Server = createServer((socket) => {
    const other = connect(upstream, "127.0.0.1");
    for (const [one, peer] of [
      [socket, other],
      [other, socket],
    ] as const) {
      open.add(one);
      one.setNoDelay(true);
      one.pipe(peer);
      one.on("error", () => peer.destroy());
      one.on("close", () => {
        open.delete(one);
        peer.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    switchTo(port) {
      upstream = port;
      for (const socket of open) socket.destroy();
    },
    async stop() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
