// The programs of a local cluster: which version, which Go module, which package. The one place where a version is raised.

const KUBERNETES_VERSION = "1.37.2";
// The etcd that Kubernetes' own go.mod names.
const ETCD_VERSION = "3.7.0";

/** A Go module that is built in a go.mod of its own. */
export type GoSource = {
  /** Folder name of the build; parts that share it share one go.mod. */
  readonly build: string;
  /** Required modules, path -> version with the leading `v`. */
  readonly requires: Readonly<Record<string, string>>;
  /** Module whose `replace` lines are taken over; `X => ./staging/...` becomes `X => X v0.MINOR.PATCH`. */
  readonly staging?: string;
  /** Variables set by the linker, `package.name` -> value. */
  readonly variables: Readonly<Record<string, string>>;
};

export type Part = {
  readonly name: string;
  readonly version: string;
  readonly package: string;
  readonly source: GoSource;
};

const [kubernetesMajor = "", kubernetesMinor = ""] = KUBERNETES_VERSION.split(".");

const KUBERNETES: GoSource = {
  build: `kubernetes-${KUBERNETES_VERSION}`,
  // One go.mod for both keeps the modules that they share equal.
  requires: { "k8s.io/kubernetes": `v${KUBERNETES_VERSION}`, "go.etcd.io/etcd/server/v3": `v${ETCD_VERSION}` },
  staging: "k8s.io/kubernetes",
  variables: {
    // Without these the API server reports v0.0.0 and clients refuse it as too old.
    "k8s.io/component-base/version.gitVersion": `v${KUBERNETES_VERSION}`,
    "k8s.io/component-base/version.gitMajor": kubernetesMajor,
    "k8s.io/component-base/version.gitMinor": kubernetesMinor,
    "k8s.io/client-go/pkg/version.gitVersion": `v${KUBERNETES_VERSION}`,
  },
};

const COREDNS_VERSION = "1.15.0";
const HELM_VERSION = "4.3.1";
const KIND_VERSION = "0.33.0";

const kubernetesPart = (name: string): Part => ({
  name,
  version: KUBERNETES_VERSION,
  package: `k8s.io/kubernetes/cmd/${name}`,
  source: KUBERNETES,
});

/** Every program that can be built, in build order: the longest first, so that the rest is quick afterwards. */
export const PARTS = {
  "kube-apiserver": kubernetesPart("kube-apiserver"),
  "kube-controller-manager": kubernetesPart("kube-controller-manager"),
  "kube-scheduler": kubernetesPart("kube-scheduler"),
  kubelet: kubernetesPart("kubelet"),
  "kube-proxy": kubernetesPart("kube-proxy"),
  kubectl: kubernetesPart("kubectl"),
  etcd: {
    name: "etcd",
    version: ETCD_VERSION,
    package: "go.etcd.io/etcd/server/v3",
    source: { ...KUBERNETES, variables: {} },
  },
  coredns: {
    name: "coredns",
    version: COREDNS_VERSION,
    package: "github.com/coredns/coredns",
    source: {
      build: `coredns-${COREDNS_VERSION}`,
      requires: { "github.com/coredns/coredns": `v${COREDNS_VERSION}` },
      variables: {},
    },
  },
  helm: {
    name: "helm",
    version: HELM_VERSION,
    package: "helm.sh/helm/v4/cmd/helm",
    source: {
      build: `helm-${HELM_VERSION}`,
      requires: { "helm.sh/helm/v4": `v${HELM_VERSION}` },
      variables: { "helm.sh/helm/v4/internal/version.version": `v${HELM_VERSION}` },
    },
  },
  kind: {
    name: "kind",
    version: KIND_VERSION,
    package: "sigs.k8s.io/kind",
    source: { build: `kind-${KIND_VERSION}`, requires: { "sigs.k8s.io/kind": `v${KIND_VERSION}` }, variables: {} },
  },
} as const satisfies Record<string, Part>;

export type PartName = keyof typeof PARTS;

/** What the local driver runs; `helm` is for its callers. */
export const LOCAL_PARTS = [
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kubelet",
  "kube-proxy",
  "kubectl",
  "etcd",
  "coredns",
  "helm",
] as const satisfies readonly PartName[];

/** Debian packages that the local driver runs, and a file of each that shows it is there. */
export const DEBIAN_PACKAGES = {
  containerd: "/usr/bin/containerd",
  runc: "/usr/sbin/runc",
  "containernetworking-plugins": "/usr/lib/cni/bridge",
  buildah: "/usr/bin/buildah",
  mmdebstrap: "/usr/bin/mmdebstrap",
  nftables: "/usr/sbin/nft",
  iptables: "/usr/sbin/iptables",
  conntrack: "/usr/sbin/conntrack",
  iproute2: "/usr/sbin/ip",
  openssl: "/usr/bin/openssl",
  procps: "/usr/sbin/sysctl",
  "ca-certificates": "/usr/sbin/update-ca-certificates",
} as const;
