// The edge's pod template and ConfigMaps, around what edge/ says an edge pod is. Pure.
import { childNames, LABELS } from "@wscluster/crds";
import type { EdgeAdmissionWish, EdgeInstructions } from "@wscluster/protocol";
import { renderHaproxyConfig } from "../../../edge/haproxy-config.ts";
import { edgePodSpecFor, edgeRoleRulesFor, HAPROXY_CONFIG_KEY, RUNTIME_SOCKET_PATH } from "../../../edge/pod-spec.ts";
import type { Manifest } from "../../../kube/index.ts";
import type { ClusterFacts, Template } from "../../facts.ts";
import { type ClusterId, labelsFor, metadataFor, selectorFor } from "./labels.ts";

export const DEFAULT_EDGE_CONNECTIONS = 9_000;
const DEFAULT_EDGE_GRACE_SECONDS = 300;

/** A ConfigMap of its own for each edge revision: a running HAProxy never reads it again. */
export function edgeConfigNameFor(cluster: ClusterId, revision: string): string {
  return `${childNames(cluster.name).edgeConfig}-${revision}`;
}

export function edgeTemplateFor(
  { cluster, spec, defaults }: Pick<ClusterFacts, "cluster" | "spec" | "defaults">,
  revision: string,
): Template {
  const edge = spec.edge ?? {};
  const { requests, limits } = edge.resources ?? {};
  const podSpec = edgePodSpecFor({
    cluster: cluster.name,
    namespace: cluster.namespace,
    image: edge.image ?? defaults.edgeImage,
    agentImage: edge.agentImage ?? defaults.agentImage,
    configMapName: edgeConfigNameFor(cluster, revision),
    terminationGracePeriodSeconds: edge.terminationGracePeriodSeconds ?? DEFAULT_EDGE_GRACE_SECONDS,
    resources: { ...(requests === undefined ? {} : { requests }), ...(limits === undefined ? {} : { limits }) },
    ...(spec.server.port === undefined ? {} : { serverPort: spec.server.port }),
    ...(spec.server.adminPort === undefined ? {} : { serverAdminPort: spec.server.adminPort }),
  });
  return {
    metadata: {
      labels: {
        ...labelsFor(cluster, "edge"),
        [LABELS.revision]: revision,
        [LABELS.set]: "attached",
        [LABELS.traffic]: "none",
      },
      annotations: { "kubectl.kubernetes.io/default-container": "haproxy" },
    },
    spec: {
      ...podSpec,
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: "kubernetes.io/hostname",
          whenUnsatisfiable: "ScheduleAnyway",
          labelSelector: { matchLabels: { ...selectorFor(cluster, "edge"), [LABELS.revision]: revision } },
        },
      ],
    },
  };
}

export function edgeConfigTextFor(spec: ClusterFacts["spec"]): string {
  return renderHaproxyConfig({
    socketPath: RUNTIME_SOCKET_PATH,
    maxConnections: spec.edge?.maxConnections ?? DEFAULT_EDGE_CONNECTIONS,
  });
}

export function edgeConfigMapFor(cluster: ClusterId, revision: string, text: string): Manifest {
  const metadata = metadataFor(cluster, edgeConfigNameFor(cluster, revision), "edge");
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { ...metadata, labels: { ...metadata.labels, [LABELS.revision]: revision } },
    data: { [HAPROXY_CONFIG_KEY]: text },
  };
}

/** @param admitPerSecond of each edge; undefined = as many as come */
export function edgeInstructionsFor(
  cluster: ClusterId,
  instructions: EdgeInstructions,
  admitPerSecond?: number,
): Manifest {
  const wish: EdgeAdmissionWish | undefined = admitPerSecond === undefined ? undefined : { perSecond: admitPerSecond };
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: metadataFor(cluster, childNames(cluster.name).edgeInstructions, "edge"),
    data: {
      "state.json": JSON.stringify(instructions),
      ...(wish === undefined ? {} : { "admission.json": JSON.stringify(wish) }),
    },
  };
}

/** What the agent may read, and no more. */
export function edgeRulesFor(cluster: ClusterId) {
  return edgeRoleRulesFor(cluster.name);
}
