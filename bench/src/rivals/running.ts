// Runs a contender in a process of its own, alone on its core. Not here: what is asked of it.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Progress, run, waitFor } from "@wscluster/e2e";
import { RawSocket } from "../fanout/raw-socket.ts";
import type { Command, Contender, Launch } from "./contender.ts";

/** The core that each server has alone, and the one of everything else of a bench. */
export const SERVER_CORE = 0;
export const GENERATOR_CORE = 1;
const START_TIMEOUT_MS = 30_000;

export type Running = {
  readonly contender: Contender;
  readonly port: number;
  readonly sidePort: number;
  readonly pid: number;
  stop(): Promise<void>;
};

export type Missing = { readonly name: string; readonly reason: string };

/** Gets all programs ready; those that cannot be had are told with the reason. */
export async function prepareAll(
  contenders: readonly Contender[],
  progress: Progress,
  signal: AbortSignal,
): Promise<{ readonly ready: readonly Contender[]; readonly missing: readonly Missing[] }> {
  const ready: Contender[] = [];
  const missing: Missing[] = [];
  for (const contender of contenders) {
    try {
      await contender.prepare(progress, signal);
      ready.push(contender);
    } catch (error) {
      if (signal.aborted) throw error;
      missing.push({ name: contender.name, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  return { ready, missing };
}

/** Keeps this process off the servers' core. */
export async function pinGenerator(pid = process.pid): Promise<void> {
  await run(["taskset", "-a", "-c", "-p", String(GENERATOR_CORE), String(pid)]);
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("cannot find a free port on 127.0.0.1");
  return address.port;
}

export type StartOptions = {
  readonly signal: AbortSignal;
  /** Whether memory will be collected. */
  readonly collects?: boolean;
  /** Alone on its core, as it is unless told; several servers at once share all cores. */
  readonly isPinned?: boolean;
  /** In place of the contender's own. */
  readonly command?: (launch: Launch) => Promise<Command>;
};

export async function startContender(contender: Contender, options: StartOptions): Promise<Running> {
  const { signal, command = (launch) => contender.command(launch) } = options;
  const scratch = await mkdtemp(join(tmpdir(), "wscluster-bench-"));
  const collects = options.collects ?? false;
  const launch = { port: await freePort(), sidePort: await freePort(), scratch, collects };
  const { argv, env } = await command(launch);
  const [program, ...rest] = options.isPinned === false ? argv : ["taskset", "-c", String(SERVER_CORE), ...argv];
  const child = spawn(program ?? "", rest, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...env },
  });
  const words: string[] = [];
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    words.push(text);
    if (words.length > 50) words.shift();
  });
  const stop = async () => {
    await endOf(child);
    await rm(scratch, { recursive: true, force: true });
  };
  try {
    await waitFor(`${contender.name} to listen`, () => attempt(contender, launch.port, child), {
      timeoutMs: START_TIMEOUT_MS,
      everyMs: 100,
      signal,
      seen: () => words.join("").slice(-500),
    });
  } catch (error) {
    await stop();
    throw error;
  }
  // taskset replaces itself by the server: the pid stays.
  return { contender, port: launch.port, sidePort: launch.sidePort, pid: child.pid ?? 0, stop };
}

async function attempt(contender: Contender, port: number, child: ChildProcess): Promise<true> {
  if (child.exitCode !== null) throw new Error(`the server ended with exit code ${child.exitCode}`);
  const { path, subprotocol } = contender;
  const socket = await RawSocket.open({ port, path, ...(subprotocol ? { subprotocol } : {}) });
  socket.destroy();
  return true;
}

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  child.once("exit", () => resolve());
  child.kill("SIGKILL");
  await promise;
}
