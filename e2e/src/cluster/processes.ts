// Long-lived processes of a cluster: started detached, remembered in pid files, found again by a later command.
// A pid alone is not an identity (it is reused), so a file also holds the kernel's start time of the process.
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

export type ProcessRecord = { readonly name: string; readonly pid: number; readonly startTicks: number };

/** Parses a pid file (`PID START_TICKS`); undefined where it is torn or from somewhere else. */
export function parsePidFile(name: string, text: string): ProcessRecord | undefined {
  const match = /^(\d+) (\d+)\n?$/.exec(text);
  if (!match) return undefined;
  const pid = Number(match[1]);
  return pid > 1 ? { name, pid, startTicks: Number(match[2]) } : undefined;
}

/** Field 22 of /proc/PID/stat: start time in clock ticks since boot. The name before it may hold blanks and brackets. */
export function parseStartTicks(stat: string): number | undefined {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[19]);
  // A zombie has ended; only its parent has not looked yet.
  return fields[0] === "Z" || fields[19] === undefined || Number.isNaN(ticks) ? undefined : ticks;
}

/** The start time of a living process, undefined when there is none of that pid. */
export function startTicksOf(pid: number): number | undefined {
  try {
    return parseStartTicks(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return undefined;
  }
}

/** Whether the very process that was recorded still lives. */
export function isAlive(record: ProcessRecord, lookup: (pid: number) => number | undefined = startTicksOf): boolean {
  return lookup(record.pid) === record.startTicks;
}

/** All processes recorded in a folder of pid files. */
export function readRecords(folder: string): ProcessRecord[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names.toSorted().flatMap((name) => {
    const record = parsePidFile(name, readFileSync(join(folder, name), "utf8"));
    return record ? [record] : [];
  });
}

type StartOptions = { readonly pids: string; readonly logs: string; readonly env?: Record<string, string> };

/** Starts a process that outlives this one: a session of its own (no Ctrl-C of ours), output to `logs`/NAME.log. */
export function startDetached(name: string, argv: readonly string[], options: StartOptions): ProcessRecord {
  const [program = "", ...args] = argv;
  const log = openSync(join(options.logs, `${name}.log`), "a");
  try {
    const child = spawn(program, args, {
      detached: true,
      stdio: ["ignore", log, log],
      env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: homedir(), ...options.env },
    });
    // An unhandled error event would end this process; the record below is then of a process that never was.
    child.on("error", () => undefined);
    child.unref();
    const pid = child.pid ?? 0;
    const record = { name, pid, startTicks: startTicksOf(pid) ?? 0 };
    writeFileSync(join(options.pids, name), `${record.pid} ${record.startTicks}\n`);
    return record;
  } finally {
    closeSync(log);
  }
}

/** Sends a signal to a recorded process if it is still that process. */
export function signalRecord(record: ProcessRecord, signal: NodeJS.Signals): void {
  if (!isAlive(record)) return;
  try {
    process.kill(record.pid, signal);
  } catch {
    // It ended between the look and the signal.
  }
}
