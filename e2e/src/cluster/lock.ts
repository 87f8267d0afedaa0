// One command at a time changes a cluster. The lock names its holder's start time too: a crash leaves no lock that blocks the next.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { ClusterError } from "./errors.ts";
import { isAlive, parsePidFile, startTicksOf } from "./processes.ts";

/** Runs `work` while holding `file`; throws `BUSY` when a living process holds it. */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  acquire(file);
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function acquire(file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const text = `${process.pid} ${startTicksOf(process.pid) ?? 0}\n`;
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      writeFileSync(file, text, { flag: "wx" });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const holder = parsePidFile("lock", readFileSync(file, "utf8"));
    if (holder && isAlive(holder))
      throw new ClusterError("BUSY", `cannot change the cluster: process ${holder.pid} is doing so`);
    rmSync(file, { force: true });
  }
  throw new ClusterError("BUSY", "cannot change the cluster: another command started at the same time");
}
