// Command lines of the local cluster's processes. Pure; control-plane.ts and node.ts start them.
import { partPath } from "../build/go-binaries.ts";
import {
  CONTROL_PLANE,
  POD_CIDR,
  SERVICE_CIDR,
  namespacePath,
  nodeLayout,
  type LocalNode,
  type StateLayout,
} from "./layout.ts";

export type Component = { readonly name: string; readonly argv: readonly string[] };

/**
 * Runs a program in a network namespace. `nsenter`, not `ip netns exec`: the latter remounts /sys and hides the cgroups from
 * the kubelet. `prlimit` raises the open-file limit to the hard one, which containers then inherit.
 */
export function inNamespace(namespace: string, argv: readonly string[], openFiles: string): string[] {
  return ["prlimit", `--nofile=${openFiles}:${openFiles}`, "nsenter", `--net=${namespacePath(namespace)}`, ...argv];
}

const ETCD_URL = "http://127.0.0.1:2379";

export function etcd(layout: StateLayout): Component {
  return {
    name: "etcd",
    argv: [
      ...[partPath("etcd"), "--data-dir", layout.etcd],
      // The state of a cluster for tests may be lost with the machine.
      "--unsafe-no-fsync",
      ...["--listen-client-urls", ETCD_URL, "--advertise-client-urls", ETCD_URL],
      ...["--listen-peer-urls", "http://127.0.0.1:2380"],
    ],
  };
}

export function apiServer(layout: StateLayout): Component {
  const pki = (file: string) => `${layout.pki}/${file}`;
  return {
    name: "kube-apiserver",
    argv: [
      partPath("kube-apiserver"),
      `--etcd-servers=${ETCD_URL}`,
      "--secure-port=6443",
      `--advertise-address=${CONTROL_PLANE.address}`,
      `--service-cluster-ip-range=${SERVICE_CIDR}`,
      "--authorization-mode=Node,RBAC",
      "--enable-admission-plugins=NodeRestriction",
      "--allow-privileged=true",
      `--client-ca-file=${pki("ca.crt")}`,
      `--tls-cert-file=${pki("apiserver.crt")}`,
      `--tls-private-key-file=${pki("apiserver.key")}`,
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${pki("sa.pub")}`,
      `--service-account-signing-key-file=${pki("sa.key")}`,
      `--kubelet-client-certificate=${pki("kubelet-client.crt")}`,
      `--kubelet-client-key=${pki("kubelet-client.key")}`,
      // Node names resolve nowhere on this machine; logs, exec and port-forward need the address.
      "--kubelet-preferred-address-types=InternalIP",
      `--audit-policy-file=${layout.auditPolicy}`,
      `--audit-log-path=${layout.auditLog}`,
      "--audit-log-maxsize=1000",
      "--audit-log-maxbackup=1",
    ],
  };
}

export function controllerManager(layout: StateLayout): Component {
  return {
    name: "kube-controller-manager",
    argv: [
      partPath("kube-controller-manager"),
      `--kubeconfig=${layout.pki}/controller-manager.conf`,
      `--service-account-private-key-file=${layout.pki}/sa.key`,
      `--root-ca-file=${layout.pki}/ca.crt`,
      "--use-service-account-credentials",
      "--leader-elect=false",
      "--bind-address=127.0.0.1",
      // The default of 20 a second would pace the tests instead of the operator.
      ...["--kube-api-qps=200", "--kube-api-burst=400"],
    ],
  };
}

export function scheduler(layout: StateLayout): Component {
  return {
    name: "kube-scheduler",
    argv: [
      partPath("kube-scheduler"),
      `--kubeconfig=${layout.pki}/scheduler.conf`,
      "--leader-elect=false",
      "--bind-address=127.0.0.1",
      ...["--kube-api-qps=200", "--kube-api-burst=400"],
    ],
  };
}

export function coredns(layout: StateLayout): Component {
  return { name: "coredns", argv: [partPath("coredns"), "-conf", layout.corefile] };
}

export function containerd(state: string, node: LocalNode): Component {
  return { name: `containerd-${node.name}`, argv: ["containerd", "-c", nodeLayout(state, node).containerdConfig] };
}

export function kubelet(layout: StateLayout, node: LocalNode): Component {
  const folders = nodeLayout(layout.root, node);
  return {
    name: `kubelet-${node.name}`,
    argv: [
      partPath("kubelet"),
      `--config=${folders.kubeletConfig}`,
      `--kubeconfig=${layout.pki}/${node.name}.conf`,
      `--hostname-override=${node.name}`,
      `--root-dir=${folders.kubelet}`,
      `--cert-dir=${folders.kubelet}/pki`,
      `--node-ip=${node.address}`,
    ],
  };
}

export function kubeProxy(layout: StateLayout, node: LocalNode): Component {
  return {
    name: `kube-proxy-${node.name}`,
    argv: [
      partPath("kube-proxy"),
      `--kubeconfig=${layout.pki}/proxy.conf`,
      `--hostname-override=${node.name}`,
      "--proxy-mode=nftables",
      `--cluster-cidr=${POD_CIDR}`,
      // Limits of the connection table belong to the machine: a namespace may not set them.
      ...["--conntrack-max-per-core=0", "--conntrack-min=0"],
      ...["--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s"],
      // Both proxies share the machine's ports otherwise only by luck of their namespaces; loopback is enough.
      ...["--healthz-bind-address=127.0.0.1:10256", "--metrics-bind-address=127.0.0.1:10249"],
    ],
  };
}

/** Names of all components, in start order. */
export function componentNames(nodes: readonly LocalNode[]): string[] {
  return [
    ...["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "coredns"],
    ...nodes.flatMap((node) => [`containerd-${node.name}`, `kubelet-${node.name}`, `kube-proxy-${node.name}`]),
  ];
}
