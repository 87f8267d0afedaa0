// The Services of a cluster. They never change in a rollout: traffic is led by labels and by the edge's instructions.
import { childNames, LABELS, PORTS } from "@wscluster/crds";
import type { Manifest } from "../../../kube/index.ts";
import type { ClusterFacts } from "../../facts.ts";
import { metadataFor, selectorFor } from "./labels.ts";

type Facts = Pick<ClusterFacts, "cluster" | "spec">;

export function servicesFor(facts: Facts): Manifest[] {
  return [clientServiceFor(facts), headlessServiceFor(facts), previewServiceFor(facts)];
}

/** Where clients connect: the edge, or the servers themselves where the edge is the user's own. */
function clientServiceFor({ cluster, spec }: Facts): Manifest {
  const service = spec.edge?.service ?? {};
  const component = spec.edge?.enabled === false ? "server" : "edge";
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      ...metadataFor(cluster, childNames(cluster.name).service),
      ...(service.annotations === undefined ? {} : { annotations: service.annotations }),
    },
    spec: {
      type: service.type ?? "ClusterIP",
      selector: { ...selectorFor(cluster, component), [LABELS.traffic]: "active" },
      ports: [port("ws", service.port ?? 80, component === "edge" ? "edge" : "ws")],
    },
  };
}

/** All server pods, ready or not: for tools and for named arrivals through an ingress of the user. */
function headlessServiceFor({ cluster, spec }: Facts): Manifest {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: metadataFor(cluster, childNames(cluster.name).servers),
    spec: {
      clusterIP: "None",
      publishNotReadyAddresses: true,
      selector: selectorFor(cluster, "server"),
      ports: [
        port("ws", spec.server.port ?? PORTS.server, "ws"),
        { name: "admin", port: spec.server.adminPort ?? PORTS.serverAdmin, targetPort: "admin", protocol: "TCP" },
      ],
    },
  };
}

function previewServiceFor({ cluster, spec }: Facts): Manifest {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: metadataFor(cluster, childNames(cluster.name).preview),
    spec: {
      selector: { ...selectorFor(cluster, "server"), [LABELS.traffic]: "preview" },
      ports: [port("ws", spec.edge?.service?.port ?? 80, "ws")],
    },
  };
}

function port(name: string, number: number, targetPort: string) {
  return { name, port: number, targetPort, protocol: "TCP", appProtocol: "kubernetes.io/ws" };
}
