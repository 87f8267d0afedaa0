// Starts the local cluster's components and notices when one ends early.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ClusterError } from "../errors.ts";
import { isAlive, readRecords, startDetached, type ProcessRecord } from "../processes.ts";
import { inNamespace, type Component } from "./components.ts";
import type { StateLayout } from "./layout.ts";

const LAST_WORDS = 5;

export interface Launcher {
  start(component: Component, namespace: string): void;
  /** Throws `PROCESS_ENDED` with its last log lines if a started component has ended; undefined else, to fit `poll`. */
  assertRunning(name: string): undefined;
}

export function createLauncher(layout: StateLayout): Launcher {
  const openFiles = hardOpenFileLimit();
  const started = new Map<string, ProcessRecord>();
  return {
    start(component, namespace) {
      const argv = inNamespace(namespace, component.argv, openFiles);
      started.set(component.name, startDetached(component.name, argv, { pids: layout.pids, logs: layout.logs }));
    },
    assertRunning(name) {
      const record = started.get(name) ?? readRecords(layout.pids).find((candidate) => candidate.name === name);
      if (record && isAlive(record)) return undefined;
      throw new ClusterError("PROCESS_ENDED", `cannot keep ${name} running: it ended\n${lastWords(layout, name)}\n`);
    },
  };
}

function lastWords(layout: StateLayout, name: string): string {
  try {
    return readFileSync(join(layout.logs, `${name}.log`), "utf8")
      .trimEnd()
      .split("\n")
      .slice(-LAST_WORDS)
      .join("\n");
  } catch {
    return "(no log)";
  }
}

/** The hard limit of open files of this process, as text for `prlimit`; `unlimited` where there is none. */
function hardOpenFileLimit(): string {
  const line = readFileSync("/proc/self/limits", "utf8")
    .split("\n")
    .find((candidate) => candidate.startsWith("Max open files"));
  return line?.trim().split(/\s{2,}/)[2] ?? "1024";
}
