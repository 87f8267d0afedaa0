// Names, addresses and folders of the local cluster. Pure constants: `down` finds everything of a crashed run by these names.
import { join } from "node:path";

/** Raise when a change to the set-up makes a running cluster of the older kind unfit for reuse. */
export const LAYOUT_REVISION = 2;

export const BRIDGE = "wsc-bridge";
/** Prefix of the network namespaces; only namespaces with it are ever deleted. */
export const NAMESPACE_PREFIX = "wsc-";
export const GATEWAY = "172.31.0.1";
export const CONTROL_PLANE = { name: "cp", namespace: "wsc-cp", address: "172.31.0.2" } as const;
export const CLIENT = { name: "client", namespace: "wsc-client", address: "172.31.0.100" } as const;
export const POD_CIDR = "10.244.0.0/16";
export const SERVICE_CIDR = "10.96.0.0/16";
export const API_SERVICE_ADDRESS = "10.96.0.1";
export const DNS_ADDRESS = "10.96.0.10";
export const API_URL = `https://${CONTROL_PLANE.address}:6443`;
export const PAUSE_IMAGE = "wscluster.local/pause:1";
/** Says which state folder owns the names above: they exist once per machine. */
export const OWNER_FILE = "/run/wscluster-local";

export type LocalNode = {
  readonly name: string;
  readonly namespace: string;
  readonly address: string;
  readonly podCidr: string;
};

export const NODES: readonly LocalNode[] = [1, 2].map((index) => ({
  name: `n${index}`,
  namespace: `${NAMESPACE_PREFIX}n${index}`,
  address: `172.31.0.1${index}`,
  podCidr: `10.244.${index}.0/24`,
}));

export type StateLayout = {
  readonly root: string;
  readonly pki: string;
  readonly logs: string;
  readonly pids: string;
  readonly etcd: string;
  readonly kubeconfig: string;
  readonly auditPolicy: string;
  readonly auditLog: string;
  readonly corefile: string;
  readonly marker: string;
  readonly lock: string;
};

export function stateLayout(root: string): StateLayout {
  return {
    root,
    pki: join(root, "pki"),
    logs: join(root, "logs"),
    pids: join(root, "pids"),
    etcd: join(root, "etcd"),
    kubeconfig: join(root, "pki", "admin.conf"),
    auditPolicy: join(root, "audit-policy.yaml"),
    auditLog: join(root, "logs", "audit.log"),
    corefile: join(root, "Corefile"),
    marker: join(root, "cluster.json"),
    lock: `${root}.lock`,
  };
}

export type NodeLayout = {
  readonly root: string;
  readonly cni: string;
  readonly ipam: string;
  readonly run: string;
  readonly socket: string;
  readonly containerdConfig: string;
  readonly containerdRoot: string;
  readonly containerdState: string;
  readonly kubelet: string;
  readonly kubeletConfig: string;
  readonly resolvConf: string;
  readonly podLogs: string;
};

export function nodeLayout(state: string, node: LocalNode): NodeLayout {
  const root = join(state, node.name);
  return {
    root,
    cni: join(root, "cni"),
    ipam: join(root, "ipam"),
    run: join(root, "run"),
    socket: join(root, "run", "containerd.sock"),
    containerdConfig: join(root, "containerd.toml"),
    containerdRoot: join(root, "containerd", "root"),
    containerdState: join(root, "containerd", "state"),
    kubelet: join(root, "kubelet"),
    kubeletConfig: join(root, "kubelet.yaml"),
    resolvConf: join(root, "resolv.conf"),
    podLogs: join(root, "pod-logs"),
  };
}

/** Name of a node's cgroup, below the root of each hierarchy. */
export function cgroupName(node: string): string {
  return `wscluster-${node}`;
}

/** Where a network namespace is mounted by `ip netns`. */
export function namespacePath(namespace: string): string {
  return `/run/netns/${namespace}`;
}
