// What one more idle connection costs on the whole way: HAProxy in front, the server, Redis behind. The product alone.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pause, waitFor } from "@wscluster/e2e";
import type { RawSocket } from "../fanout/raw-socket.ts";
import { residentKiB } from "../rivals/process-figures.ts";
import { freePort, type Running, startContender } from "../rivals/running.ts";
import { WSCLUSTER, wsclusterCommand } from "../rivals/wscluster.ts";
import { inspectorFlags } from "../rivals/contender.ts";
import { collectGarbage } from "./collect.ts";
import { openUpTo } from "./connections.ts";
import { startRedis } from "./redis-process.ts";
import { type Point, slopeOf } from "./slope.ts";

/** HAProxy needs two files for each, and a process may have 20,000. */
const STEPS = [2_000, 4_000, 6_000, 9_000];
const MAX_CONNECTIONS = 9_800;
const SETTLE_MS = 1_000;

/** KiB per connection with one subscription, of each process. Rejects when HAProxy or Redis is not there. */
export async function measurePath(signal: AbortSignal): Promise<Readonly<Record<string, number>>> {
  const redis = await startRedis(signal);
  const sockets: RawSocket[] = [];
  let server: Running | undefined;
  let edge: Edge | undefined;
  let folder = "";
  try {
    server = await startContender(WSCLUSTER, {
      signal,
      collects: true,
      command: (launch) => {
        folder = launch.scratch;
        return wsclusterCommand(launch, { nodeFlags: inspectorFlags(launch), env: { WSC_REDIS_URL: redis.url } });
      },
    });
    edge = await startEdge(server.port, folder, signal);
    const points = { server: [] as Point[], haproxy: [] as Point[], redis: [] as Point[] };
    for (const count of STEPS) {
      await openUpTo({ ...server, port: edge.port }, sockets, count, 1, () => undefined);
      await pause(SETTLE_MS, signal);
      await collectGarbage(server, signal);
      points.server.push({ count, total: residentKiB(server.pid) });
      points.haproxy.push({ count, total: residentKiB(edge.pid) });
      points.redis.push({ count, total: residentKiB(redis.pid) });
    }
    return {
      pathServerKb: slopeOf(points.server),
      pathHaproxyKb: slopeOf(points.haproxy),
      pathRedisKb: slopeOf(points.redis),
    };
  } finally {
    await edge?.stop();
    await server?.stop();
    for (const socket of sockets) socket.destroy();
    await redis.stop();
  }
}

type Edge = { readonly port: number; readonly pid: number; stop(): Promise<void> };

async function startEdge(serverPort: number, folder: string, signal: AbortSignal): Promise<Edge> {
  const port = await freePort();
  const file = join(folder, "haproxy.cfg");
  const lines = [
    "global",
    `  maxconn ${MAX_CONNECTIONS}`,
    "  nbthread 1",
    "defaults",
    "  mode http",
    "  timeout connect 5s",
    "  timeout client 1h",
    "  timeout server 1h",
    "  timeout tunnel 1h",
    "frontend clients",
    `  bind 127.0.0.1:${port}`,
    "  default_backend pods",
    "backend pods",
    `  server pod 127.0.0.1:${serverPort}`,
  ];
  await writeFile(file, `${lines.join("\n")}\n`);
  const child = spawn("haproxy", ["-db", "-f", file], { stdio: "ignore" });
  let trouble: Error | undefined;
  child.on("error", (error) => (trouble = error));
  const stop = async () => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  };
  try {
    await waitFor(
      "haproxy to listen",
      async () =>
        trouble !== undefined || (await fetch(`http://127.0.0.1:${port}/healthz`, { signal })).ok || undefined,
      { timeoutMs: 10_000, everyMs: 50, signal },
    );
  } catch (error) {
    await stop();
    throw error;
  }
  if (trouble) throw new Error(`cannot start haproxy: ${trouble.message}`);
  return { port, pid: child.pid ?? 0, stop };
}
