// A Redis of the user's own, beside the cluster that uses it: one that stays when the chart goes.
import type { ClusterAccess } from "../cluster/access.ts";

const NAME = "redis";
const PORT = 6379;

/** Starts it in the namespace, waits until it is Ready, and gives its URL. */
export async function startRedis(access: ClusterAccess, namespace: string, image: string): Promise<string> {
  const labels = { app: NAME };
  const metadata = { name: NAME, namespace };
  const container = {
    name: NAME,
    image,
    imagePullPolicy: "IfNotPresent",
    ports: [{ containerPort: PORT }],
    workingDir: "/tmp",
    readinessProbe: { exec: { command: ["redis-cli", "ping"] }, periodSeconds: 2, timeoutSeconds: 5 },
  };
  const items = [
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [container] } },
      },
    },
    { apiVersion: "v1", kind: "Service", metadata, spec: { selector: labels, ports: [{ port: PORT }] } },
  ];
  await access.kubectl(["apply", "--filename=-"], { input: JSON.stringify({ apiVersion: "v1", kind: "List", items }) });
  await access.kubectl(["rollout", "status", `deployment/${NAME}`, `--namespace=${namespace}`, "--timeout=60s"]);
  return `redis://${NAME}.${namespace}:${PORT}`;
}
