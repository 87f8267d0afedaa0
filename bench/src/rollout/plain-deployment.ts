// The rival that everybody has: the same server image as a Deployment behind a Service, rolled by Kubernetes itself. It is a
// generous rival: the server still says good-bye and clients still resume; only operator and edge are missing.
import { type ClusterAccess, LOAD_DEFAULTS, type Load, REDIS_URL, startLoad } from "@wscluster/e2e";
import type { FleetSetup } from "./fleet.ts";

const NAME = "plain";
const GRACE_SECONDS = 30;
const ROLL_TIMEOUT_SECONDS = 300;

export type PlainFleet = {
  connect(seed: number): Promise<Load>;
  roll(image: string): Promise<void>;
  close(): Promise<void>;
};

function manifestFor(image: string, pods: number) {
  const labels = { "bench.wscluster.io/name": NAME };
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  const server = {
    name: "server",
    image,
    env: [
      field("WSC_POD_NAME", "metadata.name"),
      field("WSC_POD_UID", "metadata.uid"),
      field("WSC_POD_IP", "status.podIP"),
      { name: "WSC_REDIS_URL", value: REDIS_URL },
      { name: "WSC_REDIS_PREFIX", value: `bench.${NAME}` },
      { name: "WSC_ANONYMOUS", value: "true" },
      { name: "WSC_TERMINATION_SECONDS", value: String(GRACE_SECONDS) },
    ],
    readinessProbe: { httpGet: { path: "/readyz", port: 8081 }, periodSeconds: 1 },
  };
  const template = {
    metadata: { labels },
    spec: { terminationGracePeriodSeconds: GRACE_SECONDS, containers: [server] },
  };
  return {
    apiVersion: "v1",
    kind: "List",
    items: [
      {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: NAME },
        spec: { replicas: pods, selector: { matchLabels: labels }, template },
      },
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: NAME },
        spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
      },
    ],
  };
}

export async function openPlain(
  access: ClusterAccess,
  namespace: string,
  image: string,
  setup: FleetSetup,
): Promise<PlainFleet> {
  const kubectl = (args: readonly string[], input = "") =>
    access.kubectl([...args, `--namespace=${namespace}`], { input });
  const rolled = () => kubectl(["rollout", "status", `deployment/${NAME}`, `--timeout=${ROLL_TIMEOUT_SECONDS}s`]);
  await kubectl(["apply", "--filename=-"], JSON.stringify(manifestFor(image, setup.pods)));
  await rolled();
  return {
    async connect(seed) {
      const way = await access.serviceUrl(namespace, NAME, 80);
      return startLoad({
        ...LOAD_DEFAULTS,
        url: `${way.url}/ws`,
        clients: setup.clients,
        rooms: Math.max(1, Math.floor(setup.clients / setup.roomSize)),
        skew: 0,
        messagesPerSecond: setup.messagesPerSecond,
        seed,
        prefix: `plain${seed}-`,
      });
    },
    async roll(next) {
      await kubectl(["set", "image", `deployment/${NAME}`, `server=${next}`]);
      await rolled();
    },
    async close() {
      await kubectl(["delete", `deployment/${NAME}`, `service/${NAME}`, "--ignore-not-found", "--wait=false"]);
    },
  };
}
