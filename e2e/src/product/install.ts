// Brings the product onto a cluster: images to the nodes, the chart with them. Running it again changes only what differs.
import { join } from "node:path";
import type { ClusterAccess } from "../cluster/access.ts";
import { ensureImages } from "../cluster/images.ts";
import { REPOSITORY_ROOT } from "../cluster/paths.ts";
import type { Progress } from "../terminal/progress.ts";
import { isReady, type List, type PodObject } from "./objects.ts";
import { waitFor } from "./wait.ts";

export const CHART = join(REPOSITORY_ROOT, "charts", "wscluster");
export const RELEASE = "wscluster";
export const SYSTEM_NAMESPACE = "wscluster-system";
export const REDIS_URL = `redis://${RELEASE}-redis.${SYSTEM_NAMESPACE}:6379`;
export const OPERATOR_SELECTOR = `app.kubernetes.io/instance=${RELEASE},app.kubernetes.io/component=operator`;
export const REDIS_SELECTOR = `app.kubernetes.io/instance=${RELEASE},app.kubernetes.io/component=redis`;
const START_TIMEOUT_MS = 120_000;

const REQUESTS = ["operator", "operator:v2", "edge", "redis", "server:v1", "server:v2"] as const;
export type ProductImages = Readonly<Record<(typeof REQUESTS)[number], string>>;

export async function buildImages(
  access: ClusterAccess,
  progress: Progress,
  signal?: AbortSignal,
): Promise<ProductImages> {
  return ensureImages(access.driver, REQUESTS, progress, signal);
}

/** Splits `REPOSITORY:TAG`. */
export function splitReference(reference: string): { readonly repository: string; readonly tag: string } {
  const colon = reference.lastIndexOf(":");
  return { repository: reference.slice(0, colon), tag: reference.slice(colon + 1) };
}

export type InstallOptions = {
  readonly images: Pick<ProductImages, "operator" | "edge" | "redis">;
  /** Folder of the chart; default: this repository's. */
  readonly chart?: string;
  /** Operator pods. */
  readonly replicas: number;
  readonly signal?: AbortSignal | undefined;
};

export async function installChart(access: ClusterAccess, options: InstallOptions): Promise<void> {
  const { repository, tag } = splitReference(options.images.operator);
  const values = {
    replicas: options.replicas,
    image: { repository, tag },
    edge: { image: options.images.edge },
    redis: { embedded: true, image: options.images.redis },
    // Pods, as clusters number them; webhooks of scenarios run there.
    webhookAllow: ["10.0.0.0/8"],
  };
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  await access.helm(
    [
      "upgrade",
      "--install",
      RELEASE,
      options.chart ?? CHART,
      `--namespace=${SYSTEM_NAMESPACE}`,
      "--create-namespace",
      "--values=-",
    ],
    { input: JSON.stringify(values), ...signal },
  );
  await access.kubectl(
    [
      "wait",
      "--for=condition=Established",
      "crd/websocketclusters.wscluster.io",
      "crd/websocketrebalances.wscluster.io",
      "--timeout=60s",
    ],
    signal,
  );
  await systemPodsReady(access, OPERATOR_SELECTOR, options.replicas, options.images.operator, options.signal);
  await systemPodsReady(access, REDIS_SELECTOR, 1, options.images.redis, options.signal);
}

export async function systemPods(access: ClusterAccess, selector: string): Promise<readonly PodObject[]> {
  const text = await access.kubectl([
    "get",
    "pods",
    `--namespace=${SYSTEM_NAMESPACE}`,
    `--selector=${selector}`,
    "--output=json",
  ]);
  return (JSON.parse(text) as List<PodObject>).items;
}

/** Waits until exactly `count` pods are there, Ready, and of that image. */
export async function systemPodsReady(
  access: ClusterAccess,
  selector: string,
  count: number,
  image: string,
  signal?: AbortSignal,
): Promise<void> {
  let seen = "nothing";
  await waitFor(
    `${count} ready pods of ${image}`,
    async () => {
      const pods = await systemPods(access, selector);
      seen = pods.map((pod) => `${pod.metadata.name} ${pod.status.phase}`).join(", ");
      const isDone =
        pods.length === count && pods.every((pod) => isReady(pod) && pod.spec.containers[0]?.image === image);
      return isDone || undefined;
    },
    { timeoutMs: START_TIMEOUT_MS, seen: () => seen, signal },
  );
}

export async function createNamespace(access: ClusterAccess, name: string): Promise<void> {
  const manifest = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
  await access.kubectl(["apply", "--filename=-"], { input: JSON.stringify(manifest) });
}

/** Deletes the namespace and waits until its pods are gone. */
export async function deleteNamespace(access: ClusterAccess, name: string): Promise<void> {
  await access.tryKubectl(["delete", "wsc", "--all", `--namespace=${name}`, "--ignore-not-found", "--timeout=30s"]);
  await access.tryKubectl(["delete", "namespace", name, "--ignore-not-found", "--timeout=90s"]);
}
