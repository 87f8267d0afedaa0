// The pod of an edge: HAProxy and the agent beside it. Pure. Not here: the ReplicaSet, labels, the Service and RBAC objects.
import { childNames, PORTS } from "@wscluster/crds";
import { EDGE_PATHS } from "@wscluster/protocol";
import { EDGE_CLIENT_PATHS } from "./haproxy-config.ts";

/** Key of haproxy.cfg in its ConfigMap. */
export const HAPROXY_CONFIG_KEY = "haproxy.cfg";
const RUN_PATH = "/var/run/wscluster";
/** `socketPath` for `renderHaproxyConfig`. */
export const RUNTIME_SOCKET_PATH = `${RUN_PATH}/haproxy.sock`;

type Resources = {
  readonly requests?: Readonly<Record<string, string>>;
  readonly limits?: Readonly<Record<string, string>>;
};

export type EdgePodOptions = {
  readonly cluster: string;
  readonly namespace: string;
  /** Image with `haproxy` on its PATH, 2.6 or newer. */
  readonly image: string;
  /** The operator's image; pinned per cluster. */
  readonly agentImage: string;
  readonly imagePullPolicy?: "Always" | "IfNotPresent" | "Never";
  /**
   * ConfigMap whose key `haproxy.cfg` is the rendered text. Give each revision its own (immutable) one: a running HAProxy never
   * reads it again, so a shared one would only change pods that restart by chance. Default `NAME-edge-config`.
   */
  readonly configMapName?: string;
  /** Default 300. Clients have this long, less 5 s, to move when the pod is deleted from outside. */
  readonly terminationGracePeriodSeconds?: number;
  /** Of the proxy. Memory: about 40 KiB for each connection. */
  readonly resources?: Resources;
  /** For server pods that do not name their ports. Defaults 8080 and 8081. */
  readonly serverPort?: number;
  readonly serverAdminPort?: number;
};

const CONTAINER_SECURITY = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  capabilities: { drop: ["ALL"] },
};

/**
 * PodSpec (JSON) of an edge pod for Kubernetes 1.29 and newer.
 *
 * How it ends: when the pod is deleted, the agent gets SIGTERM and the proxy's preStop hook asks the agent at `EDGE_PATHS.drained`.
 * Both together tell the agent that the pod ends: it lets HAProxy accept for 5 s more (the Service lags), makes it stop listening,
 * and answers when the last client moved or 5 s before the grace period is over. Only then is HAProxy stopped, by whatever signal its
 * image names; the runtime socket works all the time. `lifecycle.stopSignal` (KEP-4960) is not used: older API servers reject it in
 * server-side apply, or drop it and so never hold what was applied. If the agent is dead the hook fails and the image's own
 * stop signal counts: ours and HAProxy's official one is SIGUSR1, the soft stop.
 *
 * What the caller passes or does besides:
 * - the ConfigMap with `renderHaproxyConfig({ socketPath: RUNTIME_SOCKET_PATH, maxConnections })`, its text part of the revision;
 * - ConfigMap `NAME-edge` with `state.json` *before* waiting for edge pods: an edge without instructions is not Ready;
 * - ServiceAccount `NAME-edge` bound to a Role of `edgeRoleRulesFor`; only the agent gets its token, HAProxy faces the world;
 * - the Service's targetPort is the port named `edge`; the node's limit of open files must fit 2 x maxConnections + 1,000.
 */
export function edgePodSpecFor(options: EdgePodOptions) {
  const names = childNames(options.cluster);
  const graceSeconds = options.terminationGracePeriodSeconds ?? 300;
  return {
    serviceAccountName: names.edgeAccount,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: graceSeconds,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65532,
      runAsGroup: 65532,
      fsGroup: 65532,
      seccompProfile: { type: "RuntimeDefault" },
    },
    containers: [haproxyContainer(options), agentContainer(options, graceSeconds)],
    volumes: [
      { name: "config", configMap: { name: options.configMapName ?? names.edgeConfig } },
      { name: "run", emptyDir: { sizeLimit: "16Mi" } },
      { name: "token", projected: { defaultMode: 0o440, sources: tokenSources() } },
    ],
  };
}

function haproxyContainer(options: EdgePodOptions) {
  const health = { httpGet: { path: EDGE_CLIENT_PATHS.healthz, port: "health" } };
  return {
    name: "haproxy",
    image: options.image,
    imagePullPolicy: options.imagePullPolicy ?? "IfNotPresent",
    // Not the image's entry point: the official one turns the master-worker mode on.
    command: ["haproxy", "-db", "-f", `/etc/haproxy/${HAPROXY_CONFIG_KEY}`],
    ports: [
      { name: "edge", containerPort: PORTS.edge, protocol: "TCP" },
      { name: "health", containerPort: PORTS.edgeHealth, protocol: "TCP" },
    ],
    env: [fieldEnv("WSC_POD_UID", "metadata.uid")],
    resources: {
      requests: { cpu: "100m", memory: "128Mi", ...options.resources?.limits, ...options.resources?.requests },
      ...(options.resources?.limits === undefined ? {} : { limits: options.resources.limits }),
    },
    securityContext: CONTAINER_SECURITY,
    lifecycle: { preStop: { httpGet: { path: EDGE_PATHS.drained, port: PORTS.edgeAdmin } } },
    readinessProbe: { ...health, periodSeconds: 2, failureThreshold: 3, timeoutSeconds: 2 },
    // Slow to act: a restart cuts every socket.
    livenessProbe: { ...health, periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 5 },
    volumeMounts: [
      { name: "config", mountPath: "/etc/haproxy", readOnly: true },
      { name: "run", mountPath: RUN_PATH },
    ],
  };
}

function agentContainer(options: EdgePodOptions, graceSeconds: number) {
  const probe = (path: string) => ({ httpGet: { path, port: "agent" } });
  return {
    name: "agent",
    image: options.agentImage,
    imagePullPolicy: options.imagePullPolicy ?? "IfNotPresent",
    args: ["agent"],
    ports: [{ name: "agent", containerPort: PORTS.edgeAdmin, protocol: "TCP" }],
    env: [
      { name: "WSC_CLUSTER", value: options.cluster },
      { name: "WSC_NAMESPACE", value: options.namespace },
      fieldEnv("WSC_POD_NAME", "metadata.name"),
      fieldEnv("WSC_POD_UID", "metadata.uid"),
      { name: "WSC_HAPROXY_SOCKET", value: RUNTIME_SOCKET_PATH },
      { name: "WSC_EDGE_ADMIN_PORT", value: String(PORTS.edgeAdmin) },
      { name: "WSC_SERVER_PORT", value: String(options.serverPort ?? PORTS.server) },
      { name: "WSC_SERVER_ADMIN_PORT", value: String(options.serverAdminPort ?? PORTS.serverAdmin) },
      { name: "WSC_TERMINATION_SECONDS", value: String(graceSeconds) },
    ],
    resources: { requests: { cpu: "25m", memory: "96Mi" }, limits: { memory: "256Mi" } },
    securityContext: CONTAINER_SECURITY,
    startupProbe: { ...probe(EDGE_PATHS.livez), periodSeconds: 1, failureThreshold: 60, timeoutSeconds: 2 },
    readinessProbe: { ...probe(EDGE_PATHS.readyz), periodSeconds: 2, failureThreshold: 5, timeoutSeconds: 3 },
    livenessProbe: { ...probe(EDGE_PATHS.livez), periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 5 },
    volumeMounts: [
      { name: "run", mountPath: RUN_PATH },
      { name: "token", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount", readOnly: true },
    ],
  };
}

function fieldEnv(name: string, fieldPath: string) {
  return { name, valueFrom: { fieldRef: { apiVersion: "v1", fieldPath } } };
}

/** What the kubelet would mount into every container if the token were not switched off. */
function tokenSources() {
  return [
    { serviceAccountToken: { path: "token", expirationSeconds: 3_607 } },
    { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
    {
      downwardAPI: { items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }] },
    },
  ];
}

/** Rules of the agent's Role: read pods, and the one ConfigMap by name. */
export function edgeRoleRulesFor(cluster: string) {
  const verbs = ["get", "list", "watch"];
  return [
    { apiGroups: [""], resources: ["pods"], verbs },
    { apiGroups: [""], resources: ["configmaps"], resourceNames: [childNames(cluster).edgeInstructions], verbs },
  ];
}
