// Reads of a cluster that drivers and commands share, through kubectl. Scenarios call `ClusterAccess` in access.ts.
import { run, tryRun, type CommandOptions, type CommandResult } from "./command.ts";
import type { NodeStatus } from "./driver.ts";
import { ClusterError } from "./errors.ts";

export type Kubectl = {
  run(args: readonly string[], options?: CommandOptions): Promise<string>;
  tryRun(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  nodes(): Promise<NodeStatus[]>;
};

type NodeObject = {
  readonly metadata: { readonly name: string };
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly addresses?: readonly { readonly type: string; readonly address: string }[];
    readonly nodeInfo: { readonly kubeletVersion: string };
  };
};
type PodObject = {
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly containerStatuses?: readonly { readonly name: string; readonly containerID?: string }[];
    readonly initContainerStatuses?: readonly { readonly name: string; readonly containerID?: string }[];
  };
};
type ServiceObject = {
  readonly spec: {
    readonly clusterIP?: string;
    readonly ports: readonly { readonly port: number; readonly nodePort?: number }[];
  };
};

export function createKubectl(program: string, kubeconfig: string): Kubectl {
  const argv = (args: readonly string[]) => [program, `--kubeconfig=${kubeconfig}`, ...args];
  const kubectl: Kubectl = {
    run: (args, options) => run(argv(args), options),
    tryRun: (args, options) => tryRun(argv(args), options),
    async nodes() {
      const [nodes, pods] = await Promise.all([
        read<{ readonly items: readonly NodeObject[] }>(kubectl, ["get", "nodes"]),
        read<{ readonly items: readonly PodObject[] }>(kubectl, ["get", "pods", "--all-namespaces"]),
      ]);
      return nodes.items.map((node) => ({
        name: node.metadata.name,
        ready:
          node.status.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") ??
          false,
        address: node.status.addresses?.find((address) => address.type === "InternalIP")?.address ?? "",
        version: node.status.nodeInfo.kubeletVersion,
        pods: pods.items.filter((pod) => pod.spec.nodeName === node.metadata.name).length,
      }));
    },
  };
  return kubectl;
}

async function read<T>(kubectl: Kubectl, args: readonly string[]): Promise<T> {
  return JSON.parse(await kubectl.run([...args, "--output=json", "--request-timeout=5s"])) as T;
}

/** A Service with the asked-for port; throws `SERVICE_UNKNOWN` where there is none or it has no address. */
export async function readService(
  kubectl: Kubectl,
  namespace: string,
  service: string,
  port: number,
): Promise<{ readonly clusterIP: string; readonly nodePort?: number }> {
  const what = `cannot reach ${namespace}/${service}:${port}`;
  const answer = await kubectl.tryRun(["get", "service", service, `--namespace=${namespace}`, "--output=json"]);
  if (answer.status !== 0) throw new ClusterError("SERVICE_UNKNOWN", `${what}: ${answer.stderr.trim()}`);
  const { spec } = JSON.parse(answer.stdout) as ServiceObject;
  const found = spec.ports.find((candidate) => candidate.port === port);
  if (!found)
    throw new ClusterError("SERVICE_UNKNOWN", `${what}: its ports are ${spec.ports.map((p) => p.port).join(", ")}`);
  if (!spec.clusterIP || spec.clusterIP === "None")
    throw new ClusterError("SERVICE_UNKNOWN", `${what}: it is headless`);
  return { clusterIP: spec.clusterIP, ...(found.nodePort === undefined ? {} : { nodePort: found.nodePort }) };
}

/** Where a container runs; throws `CONTAINER_UNKNOWN` where it does not. */
export async function readPod(
  kubectl: Kubectl,
  namespace: string,
  pod: string,
  container: string,
): Promise<{ readonly node: string; readonly containerId: string }> {
  const answer = await kubectl.tryRun(["get", "pod", pod, `--namespace=${namespace}`, "--output=json"]);
  const what = `cannot find container ${container} of ${namespace}/${pod}`;
  if (answer.status !== 0) throw new ClusterError("CONTAINER_UNKNOWN", `${what}: ${answer.stderr.trim()}`);
  const { spec, status } = JSON.parse(answer.stdout) as PodObject;
  const statuses = [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? [])];
  const id = statuses.find((candidate) => candidate.name === container)?.containerID?.replace(/^\w+:\/\//, "");
  if (!id || !spec.nodeName) throw new ClusterError("CONTAINER_UNKNOWN", `${what}: it does not run`);
  return { node: spec.nodeName, containerId: id };
}
