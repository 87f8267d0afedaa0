// What others do on a core while a bench runs on it. Linux only.
import { readFileSync } from "node:fs";
import { pause } from "@wscluster/e2e";

export type CoreTime = {
  /** User and system time of all processes on the core. Microseconds; interrupts are nobody's. */
  readonly busyUs: number;
  readonly totalUs: number;
};

/** USER_HZ is 100 on every Linux that Node runs on. */
const TICK_US = 10_000;
const LOOK_MS = 300;

/** The line `cpuN user nice system idle iowait irq softirq ...` of /proc/stat. */
export function parseCoreTime(stat: string, core: number): CoreTime {
  const line = stat.split("\n").find((one) => one.startsWith(`cpu${core} `)) ?? "";
  const ticks = line.split(" ").slice(1).map(Number);
  const [user = 0, nice = 0, system = 0] = ticks;
  return {
    busyUs: (user + nice + system) * TICK_US,
    // Guests are in `user` already.
    totalUs: ticks.slice(0, 8).reduce((sum, value) => sum + value, 0) * TICK_US,
  };
}

export function coreTime(core: number): CoreTime {
  return parseCoreTime(readFileSync("/proc/stat", "utf8"), core);
}

/** Share of the core that went to others than `ownUs`, 0 to 1. */
export function foreignShare(before: CoreTime, after: CoreTime, ownUs: number): number {
  const total = after.totalUs - before.totalUs;
  if (total <= 0) return 0;
  return Math.min(1, Math.max(0, (after.busyUs - before.busyUs - ownUs) / total));
}

/** Waits until the cores have been nearly idle for a moment, at most `timeoutMs`: the machine may be shared. */
export async function waitForCalm(cores: readonly number[], timeoutMs: number, signal: AbortSignal): Promise<void> {
  const untilMs = performance.now() + timeoutMs;
  for (;;) {
    const before = cores.map(coreTime);
    await pause(LOOK_MS, signal);
    const isCalm = cores.every((core, at) => {
      const begin = before[at];
      return begin !== undefined && foreignShare(begin, coreTime(core), 0) < CALM;
    });
    if (isCalm || performance.now() > untilMs) return;
  }
}

const CALM = 0.25;
