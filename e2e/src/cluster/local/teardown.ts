// Takes a local cluster down, whole or crashed. Kills rather than asks: its state goes too, and the API server's graceful end can
// take a minute.
import { existsSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { poll, tryRun } from "../command.ts";
import { ClusterError } from "../errors.ts";
import { existingCgroups, removeCgroups } from "./cgroups.ts";
import { OWNER_FILE, type StateLayout } from "./layout.ts";
import { clusterProcesses, hostNamespaces, mountsBelow, removeKubeletFiles, removeRuntimeFiles } from "./leftovers.ts";
import { hasNetwork, removeNetwork } from "./network.ts";

const END_TIMEOUT_MS = 20_000;

/** Whether anything of a cluster with this state is on the machine, running or not. */
export async function hasAnything(layout: StateLayout): Promise<boolean> {
  return existsSync(layout.root) || existingCgroups().length > 0 || (await hasNetwork());
}

/** Ends all processes, then removes mounts, network, cgroups and state. Throws `LEFTOVERS` naming what could not be removed. */
export async function takeDown(layout: StateLayout): Promise<void> {
  const ended = await poll(
    async () => {
      // Again and again: a process may have forked between the look and the signal.
      const pids = clusterProcesses(layout);
      for (const pid of pids) kill(pid);
      return pids.length === 0 ? true : undefined;
    },
    END_TIMEOUT_MS,
    50,
  );
  for (const path of currentMounts(layout)) await tryRun(["umount", "-l", path]);
  removeRuntimeFiles(layout);
  removeKubeletFiles(layout);
  await removeNetwork(hostNamespaces());
  // The kernel empties a cgroup a moment after its last process has ended.
  const stuck = await poll(async () => (removeCgroups().length === 0 ? true : undefined), END_TIMEOUT_MS, 50);
  const mounts = currentMounts(layout);
  if (mounts.length === 0) await rm(layout.root, { recursive: true, force: true, maxRetries: 5 });
  await rm(OWNER_FILE, { force: true });
  const left = [
    ...(ended ? [] : clusterProcesses(layout).map((pid) => `process ${pid}`)),
    ...mounts.map((path) => `mount ${path}`),
    ...(stuck ? [] : existingCgroups().map((path) => `cgroup ${path}`)),
    ...hostNamespaces().map((name) => `network namespace ${name}`),
  ];
  if (left.length > 0)
    throw new ClusterError("LEFTOVERS", `cannot remove all of the cluster: ${left.slice(0, 8).join(", ")} stay`);
}

function currentMounts(layout: StateLayout): string[] {
  return mountsBelow(layout.root, readFileSync("/proc/self/mountinfo", "utf8"));
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Already gone.
  }
}
