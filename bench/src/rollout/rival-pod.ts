// What the rivals of the operator roll: the same server image, with everything that it does by itself. Generous: the server still says
// good-bye and clients still resume; only operator and edge are missing.
import { type ClusterAccess, LOAD_DEFAULTS, type Load, REDIS_URL, startLoad, waitFor } from "@wscluster/e2e";
import type { FleetSetup } from "./fleet.ts";

const GRACE_SECONDS = 30;
const ROLL_TIMEOUT_MS = 300_000;

/** A fleet that somebody else rolls. */
export type RivalFleet = {
  connect(seed: number): Promise<Load>;
  /** Changes the image and waits until no pod of the old one is left. */
  roll(image: string): Promise<void>;
  close(): Promise<void>;
};

export const labelsOf = (name: string) => ({ "bench.wscluster.io/name": name });

export function podTemplateFor(name: string, image: string) {
  const field = (variable: string, fieldPath: string) => ({ name: variable, valueFrom: { fieldRef: { fieldPath } } });
  const server = {
    name: "server",
    image,
    env: [
      field("WSC_POD_NAME", "metadata.name"),
      field("WSC_POD_UID", "metadata.uid"),
      field("WSC_POD_IP", "status.podIP"),
      { name: "WSC_REDIS_URL", value: REDIS_URL },
      { name: "WSC_REDIS_PREFIX", value: `bench.${name}` },
      { name: "WSC_ANONYMOUS", value: "true" },
      { name: "WSC_TERMINATION_SECONDS", value: String(GRACE_SECONDS) },
    ],
    readinessProbe: { httpGet: { path: "/readyz", port: 8081 }, periodSeconds: 1 },
  };
  return {
    metadata: { labels: labelsOf(name) },
    spec: { terminationGracePeriodSeconds: GRACE_SECONDS, containers: [server] },
  };
}

type Pod = { readonly spec: { readonly containers: readonly { readonly image: string }[] } };

/** Waits until only pods of `image` are left: those that were told to go hold clients until their grace is over. */
export async function untilOnly(
  access: ClusterAccess,
  fleet: { readonly namespace: string; readonly name: string; readonly pods: number },
  image: string,
  options: { readonly signal?: AbortSignal; readonly seen?: () => string } = {},
): Promise<void> {
  const selector = `bench.wscluster.io/name=${fleet.name}`;
  let pods = 0;
  await waitFor(
    `${fleet.name} to run only ${image}`,
    async () => {
      const flags = [`--namespace=${fleet.namespace}`, `--selector=${selector}`, "--output=json"];
      const { items } = JSON.parse(await access.kubectl(["get", "pods", ...flags])) as {
        readonly items: readonly Pod[];
      };
      pods = items.length;
      return (pods === fleet.pods && items.every(({ spec }) => spec.containers[0]?.image === image)) || undefined;
    },
    {
      timeoutMs: ROLL_TIMEOUT_MS,
      everyMs: 1_000,
      signal: options.signal,
      seen: () => `${pods} pods${options.seen ? `; ${options.seen()}` : ""}`,
    },
  );
}

export function serviceFor(name: string, labels: Readonly<Record<string, string>>) {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name },
    spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
  };
}

/** The same load as the operator's fleet has, through a Service. */
export async function connectTo(
  access: ClusterAccess,
  service: { readonly namespace: string; readonly name: string },
  setup: FleetSetup,
  seed: number,
): Promise<Load> {
  const way = await access.serviceUrl(service.namespace, service.name, 80);
  return startLoad({
    ...LOAD_DEFAULTS,
    url: `${way.url}/ws`,
    clients: setup.clients,
    rooms: Math.max(1, Math.floor(setup.clients / setup.roomSize)),
    skew: 0,
    messagesPerSecond: setup.messagesPerSecond,
    seed,
    prefix: `${service.name}${seed}-`,
  });
}
