// Where the agent's truth comes from: the server pods of the cluster and one ConfigMap, over two watches.
import { childNames, LABELS } from "@wscluster/crds";
import type { EdgeInstructions } from "@wscluster/protocol";
import { Reflector, resources, type KubeApi, type ReflectorOptions } from "../kube/index.ts";
import type { Clock } from "../runtime/index.ts";
import { parseAdmission, parseInstructions, parseServerPod, type ServerPod, type ServerPorts } from "./pods.ts";

export type EdgeFacts = {
  readonly pods: readonly ServerPod[];
  /** Undefined when absent or broken. */
  readonly instructions: EdgeInstructions | undefined;
  /** New connections per second that this edge may let in; undefined = as many as come. */
  readonly admitPerSecond?: number | undefined;
  /** Time since both were last proved current. */
  readonly ageMs: number;
};

export interface EdgeSource {
  start(): void;
  stop(): Promise<void>;
  /** Undefined before both were read once. */
  read(): EdgeFacts | undefined;
  onChange(handler: () => void): void;
}

export type KubeSourceOptions = {
  readonly client: Pick<KubeApi, "list" | "watch">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly namespace: string;
  readonly cluster: string;
  /** For pods whose containers do not name their ports. */
  readonly ports: ServerPorts;
  readonly onProblem?: NonNullable<ReflectorOptions<never>["onProblem"]>;
};

export function kubeSource(options: KubeSourceOptions): EdgeSource {
  const { client, clock, random, namespace, cluster, ports } = options;
  const name = childNames(cluster).edgeInstructions;
  const shared = {
    client,
    clock,
    random,
    namespace,
    // Late knowledge of pods costs arrivals; an agent is one small client.
    backoff: { baseMs: 250, capMs: 5_000 },
    ...(options.onProblem === undefined ? {} : { onProblem: options.onProblem }),
  };
  const pods = new Reflector({
    ...shared,
    resource: resources.pods,
    labelSelector: `${LABELS.cluster}=${cluster},${LABELS.component}=server`,
  });
  // By name, so that the agent needs no right to read other ConfigMaps.
  const configMaps = new Reflector({
    ...shared,
    resource: resources.configMaps,
    fieldSelector: `metadata.name=${name}`,
  });
  return {
    start() {
      pods.start();
      configMaps.start();
    },
    async stop() {
      await Promise.all([pods.stop(), configMaps.stop()]);
    },
    read() {
      if (!pods.hasSynced() || !configMaps.hasSynced()) return undefined;
      return {
        pods: pods.store
          .list()
          .map((pod) => parseServerPod(pod, ports))
          .filter((pod) => pod !== undefined),
        instructions: parseInstructions(configMaps.store.get({ namespace, name })),
        admitPerSecond: parseAdmission(configMaps.store.get({ namespace, name })),
        ageMs: Math.max(pods.freshness().ageMs, configMaps.freshness().ageMs),
      };
    },
    onChange(handler) {
      pods.onChange(() => handler());
      configMaps.onChange(() => handler());
    },
  };
}
