import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { kindConfig } from "../kind/config.ts";
import { inNamespace, componentNames } from "./components.ts";
import { auditPolicy, cniConfig, containerdConfig, corefile, dnsManifest, kubeletConfig } from "./config.ts";
import { NODES, nodeLayout, stateLayout, type LocalNode } from "./layout.ts";
import { mountsBelow } from "./leftovers.ts";
import { hostBatch, networkBatch, vethName } from "./network.ts";
import { kubeconfigFor } from "./pki.ts";

const [node] = NODES as [LocalNode];
const layout = nodeLayout("/state", node);

describe("node configuration", () => {
  it("gives the kubelet the node's own cgroup, runtime and log folder", () => {
    const config = parse(kubeletConfig(node, layout, "/state/pki/ca.crt")) as Record<string, unknown>;
    expect(config).toMatchObject({
      kind: "KubeletConfiguration",
      failCgroupV1: false,
      cgroupDriver: "cgroupfs",
      cgroupRoot: "/wscluster-n1",
      containerRuntimeEndpoint: "unix:///state/n1/run/containerd.sock",
      podLogsDir: "/state/n1/pod-logs",
    });
  });

  it("keeps everything of the runtime in the state folder", () => {
    const paths = [...containerdConfig(layout).matchAll(/= "(\/[^"]*)"/g)].map((match) => match[1]);
    expect(paths.filter((path) => !path?.startsWith("/state/n1/"))).toEqual(["/usr/lib/cni"]);
  });

  it("gives each node's pods addresses of their own", () => {
    const subnets = NODES.map(
      (each) => JSON.parse(cniConfig(each, nodeLayout("/state", each))).plugins[0].ipam.ranges[0][0].subnet,
    );
    expect(subnets).toEqual(["10.244.1.0/24", "10.244.2.0/24"]);
  });
});

describe("network", () => {
  it("names interfaces as the kernel allows", () => {
    for (const host of ["cp", "client", "n1", "n2"]) expect(vethName(host).length).toBeLessThanOrEqual(15);
  });

  it("routes each node's pods and the Services from the machine", () => {
    expect(networkBatch().filter((line) => line.startsWith("route"))).toEqual([
      "route add 10.244.1.0/24 via 172.31.0.11",
      "route add 10.244.2.0/24 via 172.31.0.12",
      "route add 10.96.0.0/16 via 172.31.0.11",
    ]);
  });

  it("gives a node no route to its own pods", () => {
    expect(hostBatch(node).filter((line) => line.includes("10.244."))).toEqual([
      "route add 10.244.2.0/24 via 172.31.0.12",
    ]);
  });
});

describe("mountsBelow", () => {
  const mountinfo = [
    "22 1 0:20 / / rw - ext4 /dev/vda rw",
    "30 22 0:31 / /state/n1/containerd rw - overlay overlay rw",
    "31 30 0:32 / /state/n1/containerd/state/a\\040b rw - tmpfs tmpfs rw",
    "32 22 0:33 / /state-of-others/x rw - tmpfs tmpfs rw",
  ].join("\n");

  it("finds mounts of the folder deepest first, and no neighbour's", () => {
    expect(mountsBelow("/state", mountinfo)).toEqual(["/state/n1/containerd/state/a b", "/state/n1/containerd"]);
  });
});

describe("control plane configuration", () => {
  it("audits every request at its end and leaves health probes out", () => {
    expect(parse(auditPolicy())).toMatchObject({
      omitStages: ["RequestReceived"],
      rules: [{ level: "None", nonResourceURLs: ["/healthz*", "/livez*", "/readyz*"] }, { level: "Metadata" }],
    });
  });

  it("writes the audit log where drivers say it is", () => {
    expect(stateLayout("/state").auditLog).toBe("/state/logs/audit.log");
  });

  it("points the name server's Service at CoreDNS", () => {
    const [service, slice] = dnsManifest()
      .split("\n---\n")
      .map((text) => JSON.parse(text) as unknown);
    expect(service).toMatchObject({ kind: "Service", spec: { clusterIP: "10.96.0.10" } });
    expect(slice).toMatchObject({ endpoints: [{ addresses: ["172.31.0.2"] }], addressType: "IPv4" });
    expect(corefile("/k.conf")).toContain("bind 172.31.0.2");
  });

  it("embeds keys in kubeconfig files", () => {
    const config = JSON.parse(kubeconfigFor("admin", "CA", "CERT", "KEY")) as { users: unknown; clusters: unknown };
    expect(config.users).toEqual([
      { name: "admin", user: { "client-certificate-data": "Q0VSVA==", "client-key-data": "S0VZ" } },
    ]);
    expect(config.clusters).toMatchObject([
      { cluster: { server: "https://172.31.0.2:6443", "certificate-authority-data": "Q0E=" } },
    ]);
  });

  it("starts the runtime of each node before its kubelet", () => {
    const names = componentNames(NODES);
    for (const { name } of NODES)
      expect(names.indexOf(`containerd-${name}`)).toBeLessThan(names.indexOf(`kubelet-${name}`));
  });

  it("enters namespaces without remounting /sys", () => {
    expect(inNamespace("wsc-n1", ["kubelet"], "20000")).toEqual([
      "prlimit",
      "--nofile=20000:20000",
      "nsenter",
      "--net=/run/netns/wsc-n1",
      "kubelet",
    ]);
  });
});

describe("kindConfig", () => {
  it("has two workers and brings the audit log to the state folder", () => {
    const config = parse(kindConfig("/state")) as {
      nodes: { role: string; kubeadmConfigPatches?: string[]; extraMounts?: unknown }[];
    };
    expect(config.nodes.map(({ role }) => role)).toEqual(["control-plane", "worker", "worker"]);
    expect(config.nodes[0]?.extraMounts).toContainEqual({
      hostPath: "/state/audit",
      containerPath: "/var/log/wscluster-audit",
    });
    expect(parse(config.nodes[0]?.kubeadmConfigPatches?.[0] ?? "")).toMatchObject({
      kind: "ClusterConfiguration",
      apiServer: {
        extraArgs: [
          { name: "audit-policy-file" },
          { name: "audit-log-path", value: "/var/log/wscluster-audit/audit.log" },
        ],
      },
    });
  });
});
