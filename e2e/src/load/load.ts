// The owner's side of the load: starts the processes, hands on commands, collects what they report.
import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { LoadCommand, LoadOptions, LoadReport, LoadStats, LoadSummary } from "./messages.ts";
import { mergeStats, mergeSummaries } from "./summary.ts";

/** One Node process drives about this many SDK clients before its own event loop blurs the stamps. */
const CLIENTS_PER_PROCESS = 2_000;
const WITNESS_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 150_000;
const OPEN_TIMEOUT_MS = 180_000;

export type LoadEvents = {
  connecting?(connected: number, of: number): void;
  stats?(stats: LoadStats): void;
};

export class LoadError extends Error {
  override readonly name = "LoadError";
}

export interface Load {
  /** The newest figures; undefined before the first second. */
  readonly stats: LoadStats | undefined;
  joinWitnesses(): Promise<number>;
  /** Declares that a fault is being made (or is over), for the availability figure. */
  fault(on: boolean): void;
  /** Stops publishing, waits until everybody has everything, judges, ends the processes. */
  finish(): Promise<LoadSummary>;
  /** Ends the processes at once. Safe at any time and more than once. */
  abandon(): void;
}

type Waiter = { readonly kind: LoadReport["kind"]; resolve(report: LoadReport): void; reject(error: Error): void };

class LoadProcess {
  readonly #child: ChildProcess;
  readonly #waiters: Waiter[] = [];
  #error: Error | undefined;

  constructor(networkNamespace: string | undefined, heard: (report: LoadReport) => void) {
    const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const file = fileURLToPath(new URL(`./main.${suffix}`, import.meta.url));
    const node = [process.execPath, "--conditions=@wscluster/source", "--disable-warning=ExperimentalWarning", file];
    const [program = "", ...args] = networkNamespace ? ["nsenter", `--net=${networkNamespace}`, ...node] : node;
    // Advanced serialisation: reports hold maps.
    this.#child = spawn(program, args, { stdio: ["ignore", "inherit", "inherit", "ipc"], serialization: "advanced" });
    this.#child.on("message", (report: LoadReport) => {
      if (report.kind === "failed") this.#fail(new LoadError(`the load failed: ${report.message}`));
      heard(report);
      for (const waiter of this.#waiters.splice(0)) {
        if (waiter.kind === report.kind) waiter.resolve(report);
        else this.#waiters.push(waiter);
      }
    });
    this.#child.on("error", (error) => this.#fail(error));
    this.#child.on("exit", (code, signal) => {
      const fail = (): void => this.#fail(new LoadError(`the load process ended (${signal ?? code})`));
      // What it said last may still be on the way: the channel ends after it.
      if (this.#child.connected) this.#child.once("disconnect", fail);
      else fail();
    });
  }

  async ask<K extends LoadReport["kind"]>(
    command: LoadCommand,
    kind: K,
    timeoutMs: number,
  ): Promise<Extract<LoadReport, { kind: K }>> {
    if (this.#error) throw this.#error;
    const { promise, resolve, reject } = Promise.withResolvers<LoadReport>();
    this.#waiters.push({ kind, resolve, reject });
    const timer = setTimeout(() => reject(new LoadError(`the load did not answer ${command.kind} in time`)), timeoutMs);
    try {
      this.tell(command);
      return (await promise) as Extract<LoadReport, { kind: K }>;
    } finally {
      clearTimeout(timer);
    }
  }

  tell(command: LoadCommand): void {
    if (this.#child.connected) this.#child.send(command);
  }

  end(): void {
    if (this.#child.exitCode === null) this.#child.kill("SIGKILL");
  }

  #fail(error: Error): void {
    this.#error ??= error;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }
}

/** Connects all clients and lets them publish; resolves once they do. */
export async function startLoad(
  options: LoadOptions,
  events: LoadEvents = {},
  networkNamespace?: string,
): Promise<Load> {
  const count = Math.max(1, Math.ceil(options.clients / CLIENTS_PER_PROCESS));
  const connected: number[] = Array.from({ length: count }, () => 0);
  const latest: (LoadStats | undefined)[] = Array.from({ length: count }, () => undefined);
  const merged = () => mergeStats(latest.filter((stats) => stats !== undefined));
  const processes = connected.map(
    (_, index) =>
      new LoadProcess(networkNamespace, (report) => {
        if (report.kind === "connecting") {
          connected[index] = report.connected;
          events.connecting?.(
            connected.reduce((sum, value) => sum + value, 0),
            options.clients,
          );
        } else if (report.kind === "stats") {
          latest[index] = report.stats;
          if (latest.every((stats) => stats !== undefined) && index === count - 1) events.stats?.(merged());
        }
      }),
  );
  const endAll = () => processes.forEach((child) => child.end());
  const share = (total: number, index: number) =>
    Math.floor((total * (index + 1)) / count) - Math.floor((total * index) / count);
  try {
    await Promise.all(
      processes.map((child, index) => {
        const part: LoadOptions = {
          ...options,
          clients: share(options.clients, index),
          rooms: Math.max(1, share(options.rooms, index)),
          connectsPerSecond: options.connectsPerSecond / count,
          seed: options.seed + index,
          prefix: count === 1 ? options.prefix : `${options.prefix}p${index}-`,
        };
        return child.ask({ kind: "start", options: part }, "started", OPEN_TIMEOUT_MS);
      }),
    );
  } catch (error) {
    endAll();
    throw error;
  }
  return {
    get stats() {
      return latest.some((stats) => stats !== undefined) ? merged() : undefined;
    },
    async joinWitnesses() {
      const answers = await Promise.all(
        processes.map((child) => child.ask({ kind: "join-witnesses" }, "witnesses", WITNESS_TIMEOUT_MS)),
      );
      return answers.reduce((sum, answer) => sum + answer.count, 0);
    },
    fault: (on) => processes.forEach((child) => child.tell({ kind: "fault", on })),
    async finish() {
      try {
        const answers = await Promise.all(
          processes.map((child) => child.ask({ kind: "stop" }, "summary", STOP_TIMEOUT_MS)),
        );
        return mergeSummaries(answers.map((answer) => answer.summary));
      } finally {
        endAll();
      }
    },
    abandon: endAll,
  };
}
