// CPU time of a process from /proc. Linux only.
import { readFileSync } from "node:fs";

/** USER_HZ is 100 on every Linux that Node runs on. */
const TICK_US = 10_000;

/** Fields 14 and 15 of /proc/PID/stat, user and system time in ticks; the name before them may hold blanks and brackets. */
export function parseCpuTicks(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** User and system time of a process so far, in microseconds. */
export function cpuMicroseconds(pid: number): number {
  return parseCpuTicks(readFileSync(`/proc/${pid}/stat`, "utf8")) * TICK_US;
}
