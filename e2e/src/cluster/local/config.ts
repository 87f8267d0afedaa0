// Configuration files of the local cluster's programs, as text. Pure; each setting that is not a default says which failure it prevents.
import { stringify } from "yaml";
import { CONTROL_PLANE, DNS_ADDRESS, PAUSE_IMAGE, cgroupName, type LocalNode, type NodeLayout } from "./layout.ts";

/** Pod network of a node: a bridge in its namespace; traffic between nodes is routed, not translated. */
export function cniConfig(node: LocalNode, layout: NodeLayout): string {
  return JSON.stringify({
    cniVersion: "0.4.0",
    name: "pods",
    plugins: [
      {
        type: "bridge",
        bridge: "cni0",
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        ipam: {
          type: "host-local",
          ranges: [[{ subnet: node.podCidr }]],
          routes: [{ dst: "0.0.0.0/0" }],
          dataDir: layout.ipam,
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  });
}

export function containerdConfig(layout: NodeLayout): string {
  return `version = 2
root = "${layout.containerdRoot}"
state = "${layout.containerdState}"
[grpc]
  address = "${layout.socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${layout.root}/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  # The process may not be allowed to lower its score, and the container would not start then.
  restrict_oom_score_adj = true
  # Pods' network namespaces lie in the state folder, where \`down\` finds them and no other container runtime's.
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${layout.cni}"
`;
}

export function kubeletConfig(node: LocalNode, layout: NodeLayout, authorityFile: string): string {
  return stringify({
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    failCgroupV1: false,
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${cgroupName(node.name)}`,
    containerRuntimeEndpoint: `unix://${layout.socket}`,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: authorityFile },
    },
    authorization: { mode: "Webhook" },
    clusterDNS: [DNS_ADDRESS],
    clusterDomain: "cluster.local",
    failSwapOn: false,
    enforceNodeAllocatable: [],
    // cadvisor cannot see every disk ("cannot find filesystem info").
    localStorageCapacityIsolation: false,
    evictionHard: { "imagefs.available": "1%", "nodefs.available": "1%" },
    // There is no registry to fetch a removed image from again; 100 turns the collection off.
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    resolvConf: layout.resolvConf,
    // Not /var/log/pods: what lies in the state folder goes with it.
    podLogsDir: layout.podLogs,
    maxPods: 250,
    // Two nodes share one machine's work: start pods as fast as it can.
    kubeAPIQPS: 200,
    kubeAPIBurst: 400,
  });
}

/** Metadata of every request once it has ended; probes of health are left out, they are not the cluster's work. */
export function auditPolicy(): string {
  return stringify({
    apiVersion: "audit.k8s.io/v1",
    kind: "Policy",
    omitStages: ["RequestReceived"],
    rules: [{ level: "None", nonResourceURLs: ["/healthz*", "/livez*", "/readyz*"] }, { level: "Metadata" }],
  });
}

/** CoreDNS as a host on the bridge, so that it needs no image and is there before the first pod. */
export function corefile(kubeconfig: string): string {
  return `.:53 {
  bind ${CONTROL_PLANE.address}
  kubernetes cluster.local in-addr.arpa {
    kubeconfig ${kubeconfig} wscluster-local
    ttl 5
  }
  errors
}
`;
}

/** The Service that pods ask, with the address of CoreDNS as its only endpoint. */
export function dnsManifest(): string {
  const ports = [
    { name: "dns", port: 53, protocol: "UDP" },
    { name: "dns-tcp", port: 53, protocol: "TCP" },
  ];
  const metadata = { name: "kube-dns", namespace: "kube-system" };
  return [
    { apiVersion: "v1", kind: "Service", metadata, spec: { clusterIP: DNS_ADDRESS, ports } },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { ...metadata, labels: { "kubernetes.io/service-name": "kube-dns" } },
      addressType: "IPv4",
      endpoints: [{ addresses: [CONTROL_PLANE.address], conditions: { ready: true } }],
      ports,
    },
  ]
    .map((manifest) => JSON.stringify(manifest))
    .join("\n---\n");
}
