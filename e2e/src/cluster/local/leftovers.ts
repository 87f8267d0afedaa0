// Finds what a local cluster has on this machine from names and kernel state, never from memory: a crashed run is found as well.
import { existsSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { isAlive, readRecords } from "../processes.ts";
import { cgroupProcesses } from "./cgroups.ts";
import { NAMESPACE_PREFIX, NODES, namespacePath, nodeLayout, type StateLayout } from "./layout.ts";

/** Where `ip netns` mounts named network namespaces. */
export const NETNS_FOLDER = "/run/netns";
const SHIM_SOCKETS = "/run/containerd/s/";
const RUNC_STATE = "/run/containerd/runc/k8s.io";
const CNI_RESULTS = "/var/lib/cni/results";
const CONTAINER_LOG_LINKS = "/var/log/containers";
const KUBELET_FOLDER = "/var/lib/kubelet";
const DEVICE_PLUGINS = `${KUBELET_FOLDER}/device-plugins`;
const DEVICE_PLUGIN_FILES = ["kubelet.sock", "DEPRECATION"];

/** Mount points at or below `folder`, deepest first. `mountinfo` is the text of /proc/self/mountinfo. */
export function mountsBelow(folder: string, mountinfo: string): string[] {
  return mountinfo
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .map((path) => path.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))))
    .filter((path) => path === folder || path.startsWith(`${folder}/`))
    .toSorted((a, b) => b.length - a.length);
}

/** Network namespaces of the cluster's hosts, by name. */
export function hostNamespaces(): string[] {
  if (!existsSync(NETNS_FOLDER)) return [];
  return readdirSync(NETNS_FOLDER).filter((name) => name.startsWith(NAMESPACE_PREFIX));
}

/** All living processes of the cluster: recorded ones, those in its cgroups and those in its network namespaces; not ourselves. */
export function clusterProcesses(layout: StateLayout): number[] {
  const found = new Set<number>(
    readRecords(layout.pids)
      .filter((record) => isAlive(record))
      .map((record) => record.pid),
  );
  for (const pid of cgroupProcesses()) found.add(pid);
  const inodes = namespaceInodes(layout);
  if (inodes.size > 0) {
    for (const entry of readdirSync("/proc")) {
      if (/^\d+$/.test(entry) && inodes.has(networkInode(Number(entry)))) found.add(Number(entry));
    }
  }
  for (const pid of ownLine()) found.delete(pid);
  return [...found].filter((pid) => pid > 1);
}

function namespaceInodes(layout: StateLayout): Set<number> {
  const podNamespaces = mountsBelow(layout.root, readFileSync("/proc/self/mountinfo", "utf8")).filter((path) =>
    path.includes("/netns/"),
  );
  const paths = [...hostNamespaces().map((name) => namespacePath(name)), ...podNamespaces];
  const own = networkInode(process.pid);
  return new Set(paths.map((path) => inodeOf(path)).filter((inode) => inode !== 0 && inode !== own));
}

function inodeOf(path: string): number {
  try {
    return statSync(path).ino;
  } catch {
    return 0;
  }
}

function networkInode(pid: number): number {
  try {
    return Number(/\[(\d+)\]/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[1] ?? -1);
  } catch {
    return -1;
  }
}

/** This process and its ancestors: a load generator inside the cluster's network may call `down` and must live to see its end. */
function ownLine(): number[] {
  const line: number[] = [];
  let pid = process.pid;
  while (pid > 1 && line.length < 64) {
    line.push(pid);
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      pid = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    } catch {
      break;
    }
  }
  return line;
}

/** Removes what the container runtime keeps outside its own folders; call when its processes have ended. */
export function removeRuntimeFiles(layout: StateLayout): void {
  for (const node of NODES) {
    const tasks = join(nodeLayout(layout.root, node).containerdState, "io.containerd.runtime.v2.task", "k8s.io");
    if (!existsSync(tasks)) continue;
    for (const id of readdirSync(tasks)) {
      const address = join(tasks, id, "address");
      const socket = existsSync(address) ? readFileSync(address, "utf8").replace("unix://", "") : "";
      if (socket.startsWith(SHIM_SOCKETS)) rmSync(socket, { force: true });
      rmSync(join(RUNC_STATE, id), { recursive: true, force: true });
    }
  }
  for (const file of filesIn(CNI_RESULTS)) {
    if (readFileSync(file, "utf8").includes(`${layout.root}/`)) rmSync(file, { force: true });
  }
}

/** Removes what kubelets keep at places that cannot be set; call before the state folder is removed. */
export function removeKubeletFiles(layout: StateLayout): void {
  for (const link of filesIn(CONTAINER_LOG_LINKS)) {
    if (isLinkInto(link, layout.root)) rmSync(link, { force: true });
  }
  if (existsSync(CONTAINER_LOG_LINKS) && filesIn(CONTAINER_LOG_LINKS).length === 0)
    rmSync(CONTAINER_LOG_LINKS, { recursive: true });
  // A kubelet that is not ours keeps more in its folder than this socket; then nothing is touched.
  const others = filesIn(KUBELET_FOLDER).filter((path) => path !== DEVICE_PLUGINS);
  const sockets = filesIn(DEVICE_PLUGINS);
  if (others.length > 0 || sockets.some((path) => !DEVICE_PLUGIN_FILES.includes(basename(path)))) return;
  rmSync(KUBELET_FOLDER, { recursive: true, force: true });
}

function filesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).map((entry) => join(folder, entry)) : [];
}

function isLinkInto(path: string, folder: string): boolean {
  try {
    return readlinkSync(path).startsWith(`${folder}/`);
  } catch {
    return false;
  }
}
