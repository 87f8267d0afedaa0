// The pod template of the servers. Rendered once per revision and stored on its ReplicaSet: a newer renderer changes no
// running set. Not here: the ReplicaSet around it.
import { childNames, LABELS, PORTS } from "@wscluster/crds";
import { CONTRACT_PATHS, type PodMode } from "@wscluster/protocol";
import type { ClusterFacts, Template } from "../../facts.ts";
import { CONTAINER_SECURITY, labelsFor, POD_SECURITY, resourcesFor, selectorFor } from "./labels.ts";

/** Goes up with every change of what this file renders. */
export const RENDERER_VERSION = "2";

export const DEFAULT_GRACE_SECONDS = 300;
export const CONFIG_PATH = "/etc/wscluster";

type EnvVar = { name: string; value?: string; valueFrom?: Record<string, unknown> };

export function serverTemplateFor(facts: Pick<ClusterFacts, "cluster" | "spec">, revision: string): Template {
  const { cluster, spec } = facts;
  const names = childNames(cluster.name);
  const port = spec.server.port ?? PORTS.server;
  const adminPort = spec.server.adminPort ?? PORTS.serverAdmin;
  const graceSeconds = spec.server.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
  const probe = (path: string) => ({ httpGet: { path, port: "admin" } });
  return {
    metadata: {
      labels: {
        ...labelsFor(cluster, "server"),
        [LABELS.revision]: revision,
        [LABELS.set]: "attached",
        [LABELS.traffic]: "none",
      },
      annotations: { "kubectl.kubernetes.io/default-container": "server" },
    },
    spec: {
      serviceAccountName: names.serverAccount,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: graceSeconds,
      // The first process of a PID namespace loses a SIGTERM that comes before its handler (pid_namespaces(7)): a pod that is deleted
      // while Node starts would stay for its whole grace period. With the pause container as the first one it ends at once.
      shareProcessNamespace: true,
      securityContext: POD_SECURITY,
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: "kubernetes.io/hostname",
          whenUnsatisfiable: "ScheduleAnyway",
          labelSelector: { matchLabels: { ...selectorFor(cluster, "server"), [LABELS.revision]: revision } },
        },
      ],
      containers: [
        {
          name: "server",
          image: spec.server.image,
          imagePullPolicy: spec.server.imagePullPolicy ?? "IfNotPresent",
          ports: [
            { name: "ws", containerPort: port, protocol: "TCP" },
            { name: "admin", containerPort: adminPort, protocol: "TCP" },
          ],
          env: serverEnvFor(facts, revision, { port, adminPort, graceSeconds }),
          resources: resourcesFor(spec.server.resources),
          securityContext: CONTAINER_SECURITY,
          startupProbe: { ...probe(CONTRACT_PATHS.readyz), periodSeconds: 1, failureThreshold: 120, timeoutSeconds: 2 },
          livenessProbe: { ...probe(CONTRACT_PATHS.livez), periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 5 },
          readinessProbe: { ...probe(CONTRACT_PATHS.readyz), periodSeconds: 2, failureThreshold: 3, timeoutSeconds: 2 },
          volumeMounts: [{ name: "config", mountPath: CONFIG_PATH, readOnly: true }],
        },
      ],
      volumes: [{ name: "config", configMap: { name: names.config } }],
    },
  };
}

function serverEnvFor(
  { cluster, spec }: Pick<ClusterFacts, "cluster" | "spec">,
  revision: string,
  numbers: { port: number; adminPort: number; graceSeconds: number },
): EnvVar[] {
  const names = childNames(cluster.name);
  const auth = spec.auth ?? {};
  return [
    // The user's variables first: a name that they repeat is rejected by the schema (WSC_ is ours).
    ...(spec.server.env ?? []).map(({ name, value }) => ({ name, value: value ?? "" })),
    { name: "WSC_CLUSTER", value: cluster.name },
    { name: "WSC_NAMESPACE", value: cluster.namespace },
    fieldEnv("WSC_POD_NAME", "metadata.name"),
    fieldEnv("WSC_POD_UID", "metadata.uid"),
    fieldEnv("WSC_POD_IP", "status.podIP"),
    { name: "WSC_REVISION", value: revision },
    // Read once, at birth: a pod that starts in mid-rollout must not wait for the operator to know its place.
    fieldEnv("WSC_MODE", `metadata.labels['${LABELS.traffic}']`),
    { name: "WSC_PORT", value: String(numbers.port) },
    { name: "WSC_ADMIN_PORT", value: String(numbers.adminPort) },
    { name: "WSC_PATH", value: spec.server.path ?? "/ws" },
    { name: "WSC_TERMINATION_SECONDS", value: String(numbers.graceSeconds) },
    spec.redis.urlSecretRef === undefined
      ? { name: "WSC_REDIS_URL", value: spec.redis.url ?? "" }
      : secretEnv("WSC_REDIS_URL", spec.redis.urlSecretRef.name, spec.redis.urlSecretRef.key),
    ...plainEnv("WSC_REDIS_DURABILITY", spec.redis.durability),
    { name: "WSC_REDIS_PREFIX", value: spec.redis.keyPrefix ?? `${cluster.namespace}.${cluster.name}` },
    secretEnv("WSC_ADMIN_KEYS", names.keys, "admin"),
    secretEnv("WSC_TICKET_KEYS", names.keys, "ticket"),
    { name: "WSC_ANONYMOUS", value: String(auth.anonymous ?? false) },
    ...(auth.jwtSecretRef === undefined
      ? []
      : [secretEnv("WSC_JWT_SECRET", auth.jwtSecretRef.name, auth.jwtSecretRef.key)]),
    ...plainEnv("WSC_INGEST_REDIS_CHANNEL", spec.redis.ingestChannel),
    ...plainEnv("WSC_JWT_JWKS_URL", auth.jwt?.jwksUrl),
    ...plainEnv("WSC_JWT_ISSUER", auth.jwt?.issuer),
    ...plainEnv("WSC_JWT_AUDIENCE", auth.jwt?.audience),
    ...plainEnv("WSC_TOKEN_COOKIE", auth.tokenCookie),
    ...(auth.allowedOrigins === undefined || auth.allowedOrigins.length === 0
      ? []
      : [{ name: "WSC_ALLOWED_ORIGINS", value: auth.allowedOrigins.join(",") }]),
    { name: "WSC_CONFIG_FILE", value: `${CONFIG_PATH}/config.json` },
  ];
}

export function fieldEnv(name: string, fieldPath: string): EnvVar {
  return { name, valueFrom: { fieldRef: { apiVersion: "v1", fieldPath } } };
}

function plainEnv(name: string, value: string | undefined): EnvVar[] {
  return value === undefined ? [] : [{ name, value }];
}

function secretEnv(name: string, secret: string, key: string): EnvVar {
  return { name, valueFrom: { secretKeyRef: { name: secret, key } } };
}

/** The template with another traffic label: for pods that are born later. */
export function withTraffic(template: Template, traffic: PodMode): Template {
  return {
    ...template,
    metadata: { ...template.metadata, labels: { ...template.metadata.labels, [LABELS.traffic]: traffic } },
  };
}
