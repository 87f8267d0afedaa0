// A real redis-server of a test's own, on a free port, and a relay in front of it that can be pointed at another one.
// Not here: the broker.

import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
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

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** @param replicaOf port of the primary. */
export async function startRedis(replicaOf?: number): Promise<RedisServer> {
  const port = await freePort();
  // A replica writes what it loads to its directory, and a server reads what it finds there: never a shared one.
  const directory = await mkdtemp(join(tmpdir(), "wsc-redis-"));
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", directory];
  args.push("--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0");
  if (replicaOf !== undefined) args.push("--replicaof", "127.0.0.1", String(replicaOf));
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
      if (child.exitCode === null) {
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
