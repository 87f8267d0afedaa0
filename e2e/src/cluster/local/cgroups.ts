// The cgroup that a node's pods live in, on v1 hosts (one tree per controller) and on v2 hosts (one tree). Pure plan and its shell.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NODES, cgroupName } from "./layout.ts";

const CGROUP_ROOT = "/sys/fs/cgroup";
const V1_CONTROLLERS = [
  "cpu",
  "cpuacct",
  "cpuset",
  "memory",
  "pids",
  "blkio",
  "devices",
  "freezer",
  "systemd",
  "hugetlb",
];
/** What the kubelet asks of a v2 host; others are left as they are. */
const V2_CONTROLLERS = ["cpuset", "cpu", "io", "memory", "pids", "hugetlb"];

type CgroupLayout =
  | {
      readonly version: 1;
      readonly folders: readonly string[];
      readonly copies: readonly { readonly from: string; readonly to: string }[];
    }
  | { readonly version: 2; readonly folders: readonly string[]; readonly controllers: readonly string[] };

/**
 * What has to exist for a node's cgroup. `entries` are the names below /sys/fs/cgroup, `controllers` the content of its
 * cgroup.controllers on a v2 host (undefined on v1).
 */
export function cgroupLayout(node: string, entries: readonly string[], controllers?: string): CgroupLayout {
  const name = cgroupName(node);
  if (controllers !== undefined) {
    const there = controllers.trim().split(/\s+/);
    return {
      version: 2,
      folders: [join(CGROUP_ROOT, name)],
      controllers: V2_CONTROLLERS.filter((controller) => there.includes(controller)),
    };
  }
  const present = V1_CONTROLLERS.filter((controller) => entries.includes(controller));
  return {
    version: 1,
    folders: present.map((controller) => join(CGROUP_ROOT, controller, name)),
    // On v1 a new cpuset is empty, and nothing can be started in an empty one.
    copies: present.includes("cpuset")
      ? ["cpuset.cpus", "cpuset.mems"].map((file) => ({
          from: join(CGROUP_ROOT, "cpuset", file),
          to: join(CGROUP_ROOT, "cpuset", name, file),
        }))
      : [],
  };
}

/** Which cgroup version this host runs pods under. */
function cgroupVersion(): 1 | 2 {
  return existsSync(join(CGROUP_ROOT, "cgroup.controllers")) ? 2 : 1;
}

/** Makes a node's cgroup. */
export function createCgroup(node: string): void {
  const controllersFile = join(CGROUP_ROOT, "cgroup.controllers");
  const controllers = existsSync(controllersFile) ? readFileSync(controllersFile, "utf8") : undefined;
  const layout = cgroupLayout(node, readdirSync(CGROUP_ROOT), controllers);
  if (layout.version === 2) {
    writeFileSync(join(CGROUP_ROOT, "cgroup.subtree_control"), layout.controllers.map((c) => `+${c}`).join(" "));
  }
  for (const folder of layout.folders) mkdirSync(folder, { recursive: true });
  if (layout.version === 1) for (const { from, to } of layout.copies) writeFileSync(to, readFileSync(from));
}

/** Every cgroup of every node that exists, deepest first, so that each can be removed after its children. */
export function existingCgroups(): string[] {
  const tops =
    cgroupVersion() === 2 ? [CGROUP_ROOT] : readdirSync(CGROUP_ROOT).map((entry) => join(CGROUP_ROOT, entry));
  return tops.flatMap((top) => NODES.flatMap((node) => descend(join(top, cgroupName(node.name)))));
}

/** Processes in any cgroup of any node. */
export function cgroupProcesses(): number[] {
  return existingCgroups().flatMap((folder) => {
    try {
      return readFileSync(join(folder, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
    } catch {
      return [];
    }
  });
}

/** Removes the nodes' cgroups and returns those that stay because a process is still in them. */
export function removeCgroups(): string[] {
  return existingCgroups().filter((folder) => {
    try {
      rmdirSync(folder);
      return false;
    } catch {
      return existsSync(folder);
    }
  });
}

function descend(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const children = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [...children.flatMap((child) => descend(join(folder, child.name))), folder];
}
