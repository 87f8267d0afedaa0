// The rival that everybody has: a Deployment behind a Service, rolled by Kubernetes itself.
import type { ClusterAccess } from "@wscluster/e2e";
import type { FleetSetup } from "./fleet.ts";
import { connectTo, labelsOf, podTemplateFor, type RivalFleet, serviceFor, untilOnly } from "./rival-pod.ts";

const NAME = "plain";
const ROLL_TIMEOUT_SECONDS = 300;

function manifestFor(image: string, pods: number) {
  const labels = labelsOf(NAME);
  const template = podTemplateFor(NAME, image);
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
      serviceFor(NAME, labels),
    ],
  };
}

export async function openPlain(
  access: ClusterAccess,
  namespace: string,
  image: string,
  setup: FleetSetup,
  signal: AbortSignal,
): Promise<RivalFleet> {
  const kubectl = (args: readonly string[], input = "") =>
    access.kubectl([...args, `--namespace=${namespace}`], { input });
  const rolled = () => kubectl(["rollout", "status", `deployment/${NAME}`, `--timeout=${ROLL_TIMEOUT_SECONDS}s`]);
  await kubectl(["apply", "--filename=-"], JSON.stringify(manifestFor(image, setup.pods)));
  await rolled();
  return {
    connect: (seed) => connectTo(access, { namespace, name: NAME }, setup, seed),
    async roll(next) {
      await kubectl(["set", "image", `deployment/${NAME}`, `server=${next}`]);
      await rolled();
      await untilOnly(access, { namespace, name: NAME, pods: setup.pods }, next, { signal });
    },
    async close() {
      await kubectl(["delete", `deployment/${NAME}`, `service/${NAME}`, "--ignore-not-found", "--wait=false"]);
    },
  };
}
