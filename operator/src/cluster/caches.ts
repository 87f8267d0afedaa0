// The caches that decisions are made from, and which cluster a change belongs to. Not here: what is done with a change.
import { LABELS } from "@wscluster/crds";
import {
  type Change,
  type ConfigMap,
  type CustomObject,
  type KubeApi,
  type KubeObject,
  type Node,
  type Pod,
  type PodDisruptionBudget,
  Reflector,
  type ReplicaSet,
  type Resource,
  resources,
  type Secret,
  type Service,
  type Store,
} from "../kube/index.ts";
import type { Clock } from "../runtime/index.ts";
import { nodeMarkOf } from "./nodes.ts";

export type CacheOptions = {
  readonly client: KubeApi;
  readonly clock: Clock;
  readonly random: () => number;
  /** One cache of each kind per namespace; empty = one over all namespaces. */
  readonly namespaces: readonly string[];
  readonly onProblem: (problem: { resource: string; doing: string; error: unknown }) => void;
};

type Kind<T extends KubeObject> = { readonly resource: Resource<T>; readonly caches: readonly Reflector<T>[] };

export class Caches {
  readonly clusters: Kind<CustomObject>;
  readonly pods: Kind<Pod>;
  readonly replicaSets: Kind<ReplicaSet>;
  readonly services: Kind<Service>;
  readonly configMaps: Kind<ConfigMap>;
  readonly secrets: Kind<Secret>;
  readonly budgets: Kind<PodDisruptionBudget>;

  /** Of the whole cluster. Not waited for: without the right to read nodes everything else still works. */
  readonly nodes: Reflector<Node>;
  /** All of them: a user's request carries no label. Not waited for: an older installation may not know the kind. */
  readonly rebalances: Kind<CustomObject>;
  readonly #budgetGenerations = new Map<string, number | undefined>();
  readonly #nodeMarks = new Map<string, string>();
  readonly #namespaces: readonly string[];

  constructor(options: CacheOptions) {
    const { client, clock, random, namespaces, onProblem } = options;
    this.#namespaces = namespaces;
    const kind = <T extends KubeObject>(resource: Resource<T>, labelSelector?: string): Kind<T> => ({
      resource,
      caches: (namespaces.length === 0 ? [undefined] : namespaces).map(
        (namespace) =>
          new Reflector<T>({
            client,
            resource,
            clock,
            random,
            onProblem,
            indexLabels: [LABELS.cluster],
            ...(namespace === undefined ? {} : { namespace }),
            ...(labelSelector === undefined ? {} : { labelSelector }),
          }),
      ),
    });
    this.clusters = kind(resources.webSocketClusters);
    // Only what carries our label: a cluster's other pods and secrets are none of our business.
    this.pods = kind(resources.pods, LABELS.cluster);
    this.replicaSets = kind(resources.replicaSets, LABELS.cluster);
    this.services = kind(resources.services, LABELS.cluster);
    this.configMaps = kind(resources.configMaps, LABELS.cluster);
    this.secrets = kind(resources.secrets, LABELS.cluster);
    // Those of users too: one that selects our pods beside ours would make every eviction fail.
    this.budgets = kind(resources.podDisruptionBudgets);
    this.rebalances = kind(resources.webSocketRebalances);
    this.nodes = new Reflector<Node>({ client, resource: resources.nodes, clock, random, onProblem });
  }

  /** Undefined until they have been read. */
  knownNodes(): Node[] | undefined {
    return this.nodes.hasSynced() ? this.nodes.store.list() : undefined;
  }

  /** Of one cluster, oldest first; undefined until they have been read. */
  rebalancesOf(namespace: string, name: string): CustomObject[] | undefined {
    const index = this.#namespaces.length === 0 ? 0 : this.#namespaces.indexOf(namespace);
    if (this.rebalances.caches[index]?.hasSynced() !== true) return undefined;
    return this.inNamespace(this.rebalances, namespace)
      .filter((object) => clusterNameOf(object) === name)
      .toSorted(byAge);
  }

  inNamespace<T extends KubeObject>(kind: Kind<T>, namespace: string): T[] {
    return this.store(kind, namespace)?.list(namespace) ?? [];
  }

  /** Kubelets write their nodes all the time: only what says that pods have to go concerns anybody. */
  #onNode({ type, object }: Change<Node>, onChange: (key: string) => void): void {
    const { name } = object.metadata;
    const mark = type === "deleted" ? "" : nodeMarkOf(object);
    if ((this.#nodeMarks.get(name) ?? "") === mark) return;
    this.#nodeMarks.set(name, mark);
    for (const key of this.keys()) onChange(key);
  }

  #all(): Kind<KubeObject>[] {
    const { clusters, pods, replicaSets, services, configMaps, secrets, budgets } = this;
    const kinds: unknown[] = [clusters, pods, replicaSets, services, configMaps, secrets, budgets];
    return kinds.filter(isKind);
  }

  /** @param onChange key (namespace/name) of the cluster that a change concerns */
  start(onChange: (key: string) => void): void {
    for (const cache of this.clusters.caches) {
      cache.onChange(({ object }) => onChange(`${object.metadata.namespace}/${object.metadata.name}`));
      cache.start();
    }
    for (const { caches } of this.#all().slice(1)) {
      for (const cache of caches) {
        cache.onChange((change: Change<KubeObject>) => {
          const { namespace, labels } = change.object.metadata;
          const name = labels?.[LABELS.cluster];
          if (name !== undefined) onChange(`${namespace}/${name}`);
          else if (caches === this.budgets.caches) this.#onOtherBudget(change, onChange);
        });
        cache.start();
      }
    }
    this.#startNodes(onChange);
    for (const cache of this.rebalances.caches) {
      cache.onChange(({ object }) => {
        const name = clusterNameOf(object);
        if (name !== undefined) onChange(`${object.metadata.namespace}/${name}`);
      });
      cache.start();
    }
  }

  /** The disruption controller writes the status all the time: only what it selects concerns anybody. */
  #onOtherBudget({ type, object: { metadata } }: Change<KubeObject>, onChange: (key: string) => void): void {
    const id = `${metadata.namespace}/${metadata.name}`;
    if (type === "deleted") this.#budgetGenerations.delete(id);
    else if (this.#budgetGenerations.get(id) === metadata.generation) return;
    else this.#budgetGenerations.set(id, metadata.generation);
    for (const key of this.keys()) if (key.startsWith(`${metadata.namespace}/`)) onChange(key);
  }

  #startNodes(onChange: (key: string) => void): void {
    this.nodes.onChange((change) => this.#onNode(change, onChange));
    this.nodes.start();
  }

  hasSynced(): boolean {
    return this.#all().every(({ caches }) => caches.every((cache) => cache.hasSynced()));
  }

  async waitForSync(signal: AbortSignal): Promise<boolean> {
    const waits = this.#all().flatMap(({ caches }) => caches.map((cache) => cache.waitForSync(signal)));
    return (await Promise.all(waits)).every(Boolean);
  }

  async stop(): Promise<void> {
    await Promise.all([
      this.nodes.stop(),
      ...this.rebalances.caches.map((cache) => cache.stop()),
      ...this.#all().flatMap(({ caches }) => caches.map((cache) => cache.stop())),
    ]);
  }

  /** The cache for objects of a kind in a namespace; undefined for kinds that are not cached. */
  storeOf(resource: Resource, namespace: string): Store<KubeObject> | undefined {
    const kind = [...this.#all(), ...[this.rebalances].filter(isKind)].find(
      (one) => one.resource.plural === resource.plural && one.resource.group === resource.group,
    );
    return kind === undefined ? undefined : this.store(kind, namespace);
  }

  store<T extends KubeObject>(kind: Kind<T>, namespace: string): Store<T> | undefined {
    const index = this.#namespaces.length === 0 ? 0 : this.#namespaces.indexOf(namespace);
    return kind.caches[index]?.store;
  }

  /** Objects of a cluster by its label. */
  ofCluster<T extends KubeObject>(kind: Kind<T>, namespace: string, name: string): T[] {
    return this.store(kind, namespace)?.byLabel(LABELS.cluster, name, namespace) ?? [];
  }

  keys(): string[] {
    return this.clusters.caches.flatMap((cache) =>
      cache.store.list().map((object) => `${object.metadata.namespace}/${object.metadata.name}`),
    );
  }
}

function clusterNameOf(object: CustomObject): string | undefined {
  const { spec } = object;
  const name: unknown = typeof spec === "object" && spec !== null ? Reflect.get(spec, "clusterName") : undefined;
  return typeof name === "string" ? name : undefined;
}

function byAge({ metadata: a }: CustomObject, { metadata: b }: CustomObject): number {
  const [from, to] = [Date.parse(a.creationTimestamp ?? ""), Date.parse(b.creationTimestamp ?? "")];
  return from - to || (a.name < b.name ? -1 : 1);
}

function isKind(value: unknown): value is Kind<KubeObject> {
  return typeof value === "object" && value !== null && "caches" in value;
}
