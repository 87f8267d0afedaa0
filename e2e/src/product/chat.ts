// One WebSocketCluster in a namespace, seen and changed as a user would: through kubectl only.
import { LABELS, type SetStatus } from "@wscluster/crds";
import { podKey } from "@wscluster/protocol";
import type { ClusterAccess, ServiceUrl } from "../cluster/access.ts";
import type { ChatManifest } from "./chat-cluster.ts";
import {
  isReady,
  type ClusterObject,
  type EndpointSlice,
  type EventObject,
  type List,
  type PodObject,
} from "./objects.ts";
import { waitFor } from "./wait.ts";

const READY_TIMEOUT_MS = 120_000;
/** Each question is a kubectl process: asked too often, it is load on the machine that is measured. */
const ASK_EVERY_MS = 1_000;
const EDGE_PORT = 80;
const PATH = "/ws";

export class Chat {
  readonly name: string;
  readonly namespace: string;
  readonly #access: ClusterAccess;
  readonly #signal: AbortSignal | undefined;

  constructor(access: ClusterAccess, namespace: string, name: string, signal?: AbortSignal) {
    this.#access = access;
    this.namespace = namespace;
    this.name = name;
    this.#signal = signal;
  }

  kubectl(args: readonly string[], input?: string): Promise<string> {
    return this.#access.kubectl([...args, `--namespace=${this.namespace}`], {
      ...(input === undefined ? {} : { input }),
      ...(this.#signal === undefined ? {} : { signal: this.#signal }),
    });
  }

  async apply(manifest: ChatManifest): Promise<void> {
    await this.kubectl(["apply", "--filename=-"], JSON.stringify(manifest));
  }

  async setImage(image: string): Promise<void> {
    await this.patch({ server: { image } });
  }

  async patch(spec: unknown): Promise<void> {
    await this.kubectl(["patch", "wsc", this.name, "--type=merge", `--patch=${JSON.stringify({ spec })}`]);
  }

  async object(): Promise<ClusterObject> {
    return JSON.parse(await this.kubectl(["get", "wsc", this.name, "--output=json"])) as ClusterObject;
  }

  async pods(component: "server" | "edge"): Promise<readonly PodObject[]> {
    const selector = `${LABELS.cluster}=${this.name},${LABELS.component}=${component}`;
    const text = await this.kubectl(["get", "pods", `--selector=${selector}`, "--output=json"]);
    return (JSON.parse(text) as List<PodObject>).items;
  }

  async events(): Promise<readonly EventObject[]> {
    return (JSON.parse(await this.kubectl(["get", "events", "--output=json"])) as List<EventObject>).items;
  }

  /** Addresses that a Service sends new connections to. */
  async endpoints(service: string): Promise<readonly string[]> {
    const text = await this.kubectl([
      "get",
      "endpointslices",
      `--selector=kubernetes.io/service-name=${service}`,
      "--output=json",
    ]);
    return (JSON.parse(text) as List<EndpointSlice>).items
      .flatMap((slice) => slice.endpoints ?? [])
      .filter((endpoint) => endpoint.conditions?.ready !== false)
      .flatMap((endpoint) => endpoint.addresses)
      .toSorted();
  }

  describe(): Promise<string> {
    return this.kubectl(["describe", "wsc", this.name]);
  }

  /** Waits until the resource says Ready for its newest generation, and the edge Service answers. */
  async ready(report: (seen: string) => void = () => undefined): Promise<ClusterObject> {
    let seen = "nothing";
    return waitFor(
      `${this.name} to be Ready`,
      async () => {
        const object = await this.object();
        const ready = object.status?.conditions?.find((condition) => condition.type === "Ready");
        seen = ready ? `Ready=${ready.status}, ${ready.reason}: ${ready.message}` : "no Ready condition";
        report(object.status?.ready ?? seen);
        const isCurrent = object.status?.observedGeneration === object.metadata.generation;
        return ready?.status === "True" && isCurrent ? object : undefined;
      },
      { timeoutMs: READY_TIMEOUT_MS, seen: () => seen, signal: this.#signal },
    );
  }

  /** Waits until the wanted image is the stable set; the old one may still be retained. */
  async switched(image: string, timeoutMs: number): Promise<SetStatus> {
    let seen = "nothing";
    return waitFor(
      `${image} to be the stable set`,
      async () => {
        const { status } = await this.object();
        const sets = status?.sets ?? [];
        seen = `${sets.map((set) => `${set.color} ${set.role} ${set.connections ?? "?"}`).join(", ")}; ${status?.rollout?.phase ?? ""}`;
        return sets.find((set) => set.image === image && set.role === "stable");
      },
      { timeoutMs, everyMs: ASK_EVERY_MS, seen: () => seen, signal: this.#signal },
    );
  }

  /** Waits until every pod runs the image and is Ready: the old set is gone. */
  async settled(image: string, replicas: number, timeoutMs: number): Promise<void> {
    let seen = "nothing";
    await waitFor(
      `only ${image} to run`,
      async () => {
        const pods = await this.pods("server");
        seen = pods.map((pod) => `${pod.metadata.name} ${pod.status.phase}`).join(", ");
        const isDone = pods.length === replicas && pods.every((pod) => isReady(pod) && imageOf(pod) === image);
        return isDone || undefined;
      },
      { timeoutMs, everyMs: ASK_EVERY_MS, seen: () => seen, signal: this.#signal },
    );
  }

  /** The way in for clients, path included. */
  async clientUrl(): Promise<ServiceUrl> {
    const access = await this.#access.serviceUrl(this.namespace, this.name, EDGE_PORT);
    return { url: `${access.url}${PATH}`, close: () => access.close() };
  }
}

export function imageOf(pod: PodObject): string {
  return pod.spec.containers[0]?.image ?? "";
}

/** KEY of a pod: how a load's figures name it. */
export function keyOf(pod: PodObject): string {
  return podKey(pod.metadata.uid);
}
