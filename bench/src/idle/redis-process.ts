// A redis-server of one round, on loopback, keeping nothing.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "@wscluster/e2e";
import { freePort } from "../rivals/running.ts";

export type RedisProcess = { readonly url: string; readonly pid: number; stop(): Promise<void> };

/** @throws when the program is not there. */
export async function startRedis(signal: AbortSignal): Promise<RedisProcess> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), "wscluster-bench-redis-"));
  const argv = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder];
  const child = spawn("redis-server", argv, { stdio: "ignore" });
  let trouble: Error | undefined;
  child.on("error", (error) => (trouble = error));
  const stop = async () => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await waitFor(
      "redis-server to listen",
      async () => (await isListening(port)) || trouble !== undefined || undefined,
      {
        timeoutMs: 10_000,
        everyMs: 50,
        signal,
      },
    );
  } catch (error) {
    await stop();
    throw error;
  }
  if (trouble) {
    await stop();
    throw new Error(`cannot start redis-server: ${trouble.message}; it comes with the package redis-server`);
  }
  return { url: `redis://127.0.0.1:${port}`, pid: child.pid ?? 0, stop };
}

function isListening(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, "127.0.0.1");
  socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  return promise.finally(() => socket.destroy());
}
