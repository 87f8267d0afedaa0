// The network of the local cluster: one bridge, one network namespace per host on it, routes to each node's pods.
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { run, tryRun } from "../command.ts";
import {
  BRIDGE,
  CLIENT,
  CONTROL_PLANE,
  GATEWAY,
  NAMESPACE_PREFIX,
  NODES,
  POD_CIDR,
  SERVICE_CIDR,
  namespacePath,
} from "./layout.ts";
import { NETNS_FOLDER, hostNamespaces } from "./leftovers.ts";

const [FIRST_NODE] = NODES;

/** All hosts on the bridge. */
const HOSTS = [CONTROL_PLANE, CLIENT, ...NODES];

/** Name of a host's end in the root namespace; kernel names have at most 15 characters. */
export function vethName(host: string): string {
  return `${NAMESPACE_PREFIX}v-${host}`;
}

/** Lines for `ip -batch` in the root namespace; pure, in the order in which they have to run. */
export function networkBatch(): string[] {
  const lines = [`link add ${BRIDGE} type bridge`, `addr add ${GATEWAY}/24 dev ${BRIDGE}`, `link set ${BRIDGE} up`];
  for (const host of HOSTS) {
    lines.push(`link add ${vethName(host.name)} type veth peer name eth0 netns ${host.namespace}`);
    lines.push(`link set ${vethName(host.name)} master ${BRIDGE} up`);
  }
  for (const node of NODES) lines.push(`route add ${node.podCidr} via ${node.address}`);
  // A node forwards Service addresses for the machine, as it would for a router in front of it: kube-proxy translates them.
  if (FIRST_NODE) lines.push(`route add ${SERVICE_CIDR} via ${FIRST_NODE.address}`);
  return lines;
}

/** Lines for `ip -n NAMESPACE -batch`. */
export function hostBatch(host: { readonly name: string; readonly address: string }): string[] {
  const lines = [
    `addr add ${host.address}/24 dev eth0`,
    "link set lo up",
    "link set eth0 up",
    `route add default via ${GATEWAY}`,
  ];
  for (const node of NODES) if (node.name !== host.name) lines.push(`route add ${node.podCidr} via ${node.address}`);
  const isNode = NODES.some((node) => node.name === host.name);
  if (!isNode && FIRST_NODE) lines.push(`route add ${SERVICE_CIDR} via ${FIRST_NODE.address}`);
  return lines;
}

export async function createNetwork(signal?: AbortSignal): Promise<void> {
  mkdirSync(NETNS_FOLDER, { recursive: true });
  for (const host of HOSTS) await run(["ip", "netns", "add", host.namespace], { signal });
  await run(["ip", "-batch", "-"], { input: `${networkBatch().join("\n")}\n`, signal });
  for (const host of HOSTS) {
    await run(["ip", "-n", host.namespace, "-batch", "-"], { input: `${hostBatch(host).join("\n")}\n`, signal });
    // Load generators open tens of thousands of connections from one address.
    const settings = ["net.ipv4.ip_forward=1", "net.ipv4.ip_local_port_range=1024 65535"];
    await run(["nsenter", `--net=${namespacePath(host.namespace)}`, "sysctl", "-qw", ...settings], { signal });
  }
}

/** Whether anything of the network exists. */
export async function hasNetwork(): Promise<boolean> {
  if (hostNamespaces().length > 0) return true;
  return (await tryRun(["ip", "link", "show", BRIDGE])).status === 0;
}

/** Removes bridge, hosts and routes; what is not there is no error. */
export async function removeNetwork(namespaces: readonly string[]): Promise<void> {
  await tryRun(["ip", "route", "flush", "root", POD_CIDR]);
  await tryRun(["ip", "route", "flush", "root", SERVICE_CIDR]);
  for (const name of namespaces) await tryRun(["ip", "netns", "del", name]);
  for (const host of HOSTS) await tryRun(["ip", "link", "del", vethName(host.name)]);
  await tryRun(["ip", "link", "del", BRIDGE]);
  // `ip netns add` mounted the folder on itself; where no namespace needs it any more, that goes too.
  if (existsSync(NETNS_FOLDER) && readdirSync(NETNS_FOLDER).length === 0) {
    await tryRun(["umount", NETNS_FOLDER]);
    await tryRun(["rmdir", NETNS_FOLDER]);
  }
}
