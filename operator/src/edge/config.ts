// The agent's environment. Its keys are the variables; the pod spec (pod-spec.ts) sets them.
import { PORTS } from "@wscluster/crds";
import { integerVariable, LOG_LEVELS } from "@wscluster/platform";
import { z } from "zod";

const port = (fallback: number) => integerVariable({ min: 0, max: 65_535 }).default(fallback);

export const edgeConfigSchema = z.object({
  WSC_CLUSTER: z.string().describe("Name of the WebSocketCluster."),
  WSC_NAMESPACE: z.string().describe("Namespace of the cluster."),
  WSC_POD_NAME: z.string().default("edge").describe("Name of this pod, for logs."),
  WSC_POD_UID: z.string().describe("Uid of this pod; its KEY is made of it."),
  WSC_HAPROXY_SOCKET: z
    .string()
    .default("/var/run/wscluster/haproxy.sock")
    .describe("Runtime socket of the proxy. The snapshot is kept beside it."),
  WSC_EDGE_ADMIN_PORT: port(PORTS.edgeAdmin).describe("Port of the agent's own HTTP server."),
  WSC_SERVER_PORT: port(PORTS.server).describe("Port of server pods that do not name it."),
  WSC_SERVER_ADMIN_PORT: port(PORTS.serverAdmin).describe("Admin port of server pods that do not name it."),
  WSC_TERMINATION_SECONDS: integerVariable({ min: 1, max: 86_400 }).default(300).describe("Grace period of this pod."),
  WSC_LOG_LEVEL: z.enum(LOG_LEVELS).default("info").describe("Lowest level that is logged."),
});

export type EdgeConfig = z.output<typeof edgeConfigSchema>;
