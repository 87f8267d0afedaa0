// A real HAProxy for tests, on unix sockets in a folder of its own: no port is chosen, so none can be taken.
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { renderHaproxyConfig, type HaproxyConfigOptions } from "../haproxy-config.ts";

export const HAPROXY = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"].find((path) => existsSync(path));

export type TestHaproxy = {
  readonly folder: string;
  readonly runtimePath: string;
  readonly clientPath: string;
  readonly healthPath: string;
  readonly pid: number;
  readonly log: () => string;
  /** Starts again after `kill`. */
  start(): Promise<void>;
  /** Resolves when the process is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Resolves when the process ended by itself or by a signal sent before. */
  ended(): Promise<void>;
  dispose(): Promise<void>;
};

export async function startHaproxy(podUid: string, options: Partial<HaproxyConfigOptions> = {}): Promise<TestHaproxy> {
  if (HAPROXY === undefined) throw new Error("cannot test with HAProxy: it is not installed");
  const binary = HAPROXY;
  const folder = await mkdtemp(join(tmpdir(), "wsc-edge-"));
  const [runtimePath, clientPath, healthPath] = ["r.sock", "c.sock", "h.sock"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const configPath = join(folder, "haproxy.cfg");
  await writeFile(
    configPath,
    renderHaproxyConfig({
      socketPath: runtimePath,
      maxConnections: 1_000,
      bind: `unix@${clientPath}`,
      healthBind: `unix@${healthPath}`,
      threads: 1,
      ...options,
    }),
  );
  let child: ChildProcess | undefined;
  let log = "";
  let gone: Promise<void> = Promise.resolve();
  const start = async (): Promise<void> => {
    const started = spawn(binary, ["-db", "-f", configPath], { env: { WSC_POD_UID: podUid } });
    child = started;
    started.stdout.on("data", (chunk: Buffer) => (log += chunk.toString()));
    started.stderr.on("data", (chunk: Buffer) => (log += chunk.toString()));
    gone = new Promise((resolve) => started.once("exit", () => resolve()));
    await until(
      () => existsSync(healthPath) && existsSync(runtimePath),
      "HAProxy listens",
      () => log,
    );
  };
  const kill = async (signal: NodeJS.Signals = "SIGKILL"): Promise<void> => {
    child?.kill(signal);
    await gone;
    await Promise.all([runtimePath, clientPath, healthPath].map((path) => rm(path, { force: true })));
  };
  try {
    await start();
  } catch (error) {
    await kill();
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    folder,
    runtimePath,
    clientPath,
    healthPath,
    get pid() {
      return child?.pid ?? 0;
    },
    log: () => log,
    start,
    kill,
    ended: () => gone,
    async dispose() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Polls until `check` holds. */
export async function until(
  check: () => boolean | Promise<boolean>,
  what: string,
  context: () => string = () => "",
  withinMs = 10_000,
): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!(await check())) {
    if (performance.now() > endMs) throw new Error(`not within ${withinMs} ms: ${what}\n${context()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
