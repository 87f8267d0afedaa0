// CPU time and memory of a process from /proc. Linux only.
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

/** A field such as `VmRSS:  1234 kB` of /proc/PID/status or /proc/meminfo, in KiB; 0 when it is not there. */
export function parseKibibytes(text: string, field: string): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(text);
  return Number(match?.[1] ?? 0);
}

export function residentKiB(pid: number): number {
  return parseKibibytes(readFileSync(`/proc/${pid}/status`, "utf8"), "VmRSS");
}

/** Kernel memory that cannot be given back, of the whole machine: sockets, files, their buffers. */
export function kernelKiB(): number {
  return parseKibibytes(readFileSync("/proc/meminfo", "utf8"), "Slab");
}
