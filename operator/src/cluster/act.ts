// Does what a plan says, in its order, and stops at the first failure: the next pass sees what was done and decides anew.
// Not here: any decision. The only thing that is judged again is what cannot be undone (the law, foreign owners).
import { API_VERSION, KIND, LABELS, REBALANCE_KIND } from "@wscluster/crds";
import type { PodState } from "@wscluster/protocol";
import {
  type Applier,
  APPLIED_HASH_ANNOTATION,
  isAlreadyExists,
  isConflict,
  isKubeError,
  isNotFound,
  type JsonPatchOperation,
  type KubeApi,
  type KubeObject,
  type Manifest,
  type ObjectRef,
  type OwnWrites,
  type Resource,
  resourceFor,
  resources,
  type Store,
} from "../kube/index.ts";
import { paceLimitsOf } from "../moves/limits.ts";
import type { PlannedGrant } from "../moves/planner.ts";
import type { ContractWriter, WriteOutcome, WriteTarget } from "../contract/writer.ts";
import { labelsFor, metadataFor } from "./decide/children/labels.ts";
import { attachedPods } from "./decide/sets.ts";
import { lawViolation } from "./decide/victims.ts";
import type { GrantReport } from "./cluster-metrics.ts";
import type { ClusterFacts, ServerPodFacts } from "./facts.ts";
import type { ClusterMemory } from "./memory.ts";
import type { Action, Plan } from "./plan.ts";

export type ActErrorCode = "law" | "name-taken" | "unknown-kind" | "unsigned" | "deposed" | "stale";

export class ActError extends Error {
  readonly code: ActErrorCode;
  constructor(code: ActErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export type ActPorts = {
  readonly api: KubeApi;
  readonly applier: Applier;
  readonly ownWrites: OwnWrites;
  readonly storeOf: (resource: Resource) => Store<KubeObject> | undefined;
  readonly writer: ContractWriter;
  readonly randomKey: () => string;
  readonly nowMs: () => number;
  readonly mayAct: () => boolean;
};

export type ActContext = {
  /** Key of the cluster: the scope of its own writes. */
  readonly scope: string;
  readonly facts: ClusterFacts;
  readonly memory: ClusterMemory;
  /** Objects of kinds without a cache that are known to be as wanted: name -> hash of the intent. */
  readonly settled: Map<string, string>;
  /** Gives the epoch for writes to pods, claiming it first when need be. */
  readonly fence: () => Promise<number>;
  readonly adminKey: string | undefined;
  readonly signal: AbortSignal;
};

export type ActReport = {
  readonly wrote: number;
  readonly effects: number;
  readonly notes: readonly string[];
  readonly grants: readonly GrantReport[];
};

export async function act(plan: Plan, context: ActContext, ports: ActPorts): Promise<ActReport> {
  const run = new Run(context, ports);
  for (const action of plan.actions) {
    // A pass that lost its leadership, or ran out of time, must not go on with half of its plan.
    context.signal.throwIfAborted();
    if (!ports.mayAct())
      throw new ActError("deposed", `cannot act on ${context.scope}: this process does not lead any more`);
    await run.do(action);
  }
  return { wrote: run.wrote, effects: run.effects, notes: run.notes, grants: run.grants };
}

class Run {
  wrote = 0;
  effects = 0;
  readonly notes: string[] = [];
  readonly grants: GrantReport[] = [];
  readonly #context: ActContext;
  readonly #ports: ActPorts;
  readonly #detached = new Set<string>();
  /** Sets that pods were detached from in this pass, as they were looked at before: by uid. */
  readonly #before = new Map<string, KubeObject>();

  constructor(context: ActContext, ports: ActPorts) {
    this.#context = context;
    this.#ports = ports;
  }

  async do(action: Action): Promise<void> {
    switch (action.kind) {
      case "apply":
        return this.#apply(action.manifest);
      case "createKeys":
        return this.#createKeys(action.name);
      case "patchPod":
        return this.#patchPod(action.pod, action.operations);
      case "delete":
        return this.#delete(action);
      case "rebalanceStatus":
        return this.#writeRebalance(action);
      case "adoptRebalance":
        return this.#adoptRebalance(action.name);
      case "mode":
        return this.#setMode(action);
      case "grants":
        return this.#grant(action.grants);
    }
  }

  async #apply(manifest: Manifest): Promise<void> {
    const { api, applier, ownWrites, storeOf } = this.#ports;
    const { scope, facts, settled, signal } = this.#context;
    const resource = resourceFor(manifest);
    if (resource === undefined)
      throw new ActError("unknown-kind", `cannot apply ${manifest.kind}: it has no row in kube/resources`);
    const ref = { namespace: facts.cluster.namespace, name: manifest.metadata.name };
    this.#assertLaw(manifest);
    const store = storeOf(resource);
    const memo = `${manifest.kind}/${manifest.metadata.name}`;
    const intent = JSON.stringify(manifest);
    if (store === undefined && settled.get(memo) === intent) return;
    const live = store === undefined ? await api.find(resource, ref, { signal }) : store.get(ref);
    assertOurs(live, manifest, facts.cluster.uid);
    const outcome = await applier.apply(resource, await this.#guarded(resource, manifest), live, { signal });
    if (store === undefined) settled.set(memo, intent);
    if (!outcome.sent) return;
    this.wrote++;
    this.notes.push(`applied ${manifest.kind} ${manifest.metadata.name}: ${outcome.because}`);
    ownWrites.wrote(scope, resource, outcome.object);
  }

  /**
   * A detach makes the set's controller change the set's status, and so its version. What was decided on is its specification and
   * our marks: while these are as they were the newer version may be shrunk, and only that very one.
   */
  async #guarded(resource: Resource, manifest: Manifest): Promise<Manifest> {
    const { uid, resourceVersion } = manifest.metadata;
    const before = uid === undefined || resourceVersion === undefined ? undefined : this.#before.get(uid);
    if (before === undefined) return manifest;
    const { api } = this.#ports;
    const { facts, signal } = this.#context;
    const ref = { namespace: facts.cluster.namespace, name: manifest.metadata.name };
    const now = await api.find(resource, ref, { signal });
    if (now === undefined || now.metadata.uid !== uid || decidedOn(now) !== decidedOn(before))
      throw new ActError("stale", `cannot lower ${manifest.kind} ${ref.name}: somebody changed it meanwhile`);
    return { ...manifest, metadata: { ...manifest.metadata, resourceVersion: now.metadata.resourceVersion } };
  }

  #assertLaw(manifest: Manifest): void {
    if (manifest.kind !== "ReplicaSet") return;
    const { facts } = this.#context;
    const set = facts.sets.find((candidate) => candidate.name === manifest.metadata.name);
    const replicas = replicasOf(manifest);
    if (set === undefined || replicas === undefined) return;
    const broken = lawViolation(set, attachedPods(facts.pods, set), replicas, this.#detached);
    if (broken !== undefined)
      throw new ActError("law", `cannot lower a set: ${broken}; this is a fault of the operator`);
  }

  async #createKeys(name: string): Promise<void> {
    const { api, ownWrites, randomKey } = this.#ports;
    const { scope, facts, signal } = this.#context;
    const data = { admin: encode(randomKey()), ticket: encode(randomKey()) };
    const manifest: Manifest = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { ...metadataFor(facts.cluster, name), labels: labelsFor(facts.cluster) },
      type: "Opaque",
      data,
    };
    try {
      const made = await api.create(resources.secrets, manifest, { signal });
      ownWrites.wrote(scope, resources.secrets, made);
      this.wrote++;
    } catch (error) {
      // Keys that exist are in use by pods: never overwritten, whoever made them.
      if (!isAlreadyExists(error)) throw error;
      const live = await api.find(resources.secrets, { namespace: facts.cluster.namespace, name }, { signal });
      assertOurs(live, manifest, facts.cluster.uid);
      // It is there but not ours by label, or the cache has not seen it yet: the latter ends by itself.
      throw new ActError(
        "stale",
        `cannot create Secret ${name}: it exists but is not in the cache yet; the next pass will see it`,
      );
    }
  }

  async #patchPod(name: string, operations: readonly JsonPatchOperation[]): Promise<void> {
    const { api, ownWrites } = this.#ports;
    const { scope, facts, signal } = this.#context;
    const ref = { namespace: facts.cluster.namespace, name };
    const isDetach = operations.some((operation) => operation.path.endsWith("/ownerReferences"));
    if (isDetach) this.#noteSetOf(name);
    try {
      const pod = await api.patch(resources.pods, ref, operations, { type: "json", signal });
      this.wrote++;
      this.notes.push(`patched pod ${name}`);
      ownWrites.wrote(scope, resources.pods, pod);
    } catch (error) {
      if (isNotFound(error)) return;
      // A test that fails is 422 and not 409; both mean that the pod changed after it was looked at.
      if (isKubeError(error, "Invalid") && /\btest(ing)?\b/.test(error.message))
        throw new ActError("stale", `cannot patch pod ${name}: it changed meanwhile`);
      throw error;
    }
    if (isDetach) {
      const uid = facts.pods.find((pod) => pod.name === name)?.uid;
      if (uid !== undefined) this.#detached.add(uid);
    }
  }

  #noteSetOf(podName: string): void {
    const { facts } = this.#context;
    const pod = facts.pods.find((one) => one.name === podName);
    const set = facts.sets.find((one) => one.revision === pod?.revision);
    if (set === undefined) return;
    const store = this.#ports.storeOf(resources.replicaSets);
    const cached = store?.get({ namespace: facts.cluster.namespace, name: set.name });
    // A newer one than the decision knew must not be taken for what it was made on: then the first version counts.
    if (cached?.metadata.resourceVersion === set.resourceVersion) this.#before.set(set.uid, cached);
  }

  async #delete(action: Extract<Action, { kind: "delete" }>): Promise<void> {
    const { api, ownWrites } = this.#ports;
    const { scope, facts, signal } = this.#context;
    const resource: Resource = resources[action.resource];
    const ref: ObjectRef = { namespace: facts.cluster.namespace, name: action.name };
    const { uid, resourceVersion } = action;
    try {
      const result = await api.delete(resource, ref, {
        uid,
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
        propagation: "Background",
        signal,
      });
      this.wrote++;
      this.notes.push(`deleted ${action.resource} ${action.name}`);
      // A pod stays for its grace period: waiting for it to be gone would stop the whole cluster's passes. That it ends must be
      // seen, or it would be deleted, and told of, twice.
      if (result.kind === "terminating") ownWrites.wrote(scope, resource, result.object);
      else if (action.resource !== "pods") ownWrites.deleted(scope, resource, ref, uid);
    } catch (error) {
      if (isNotFound(error)) return;
      if (isConflict(error))
        throw new ActError("stale", `cannot delete ${action.resource} ${action.name}: it changed meanwhile`);
      throw error;
    }
  }

  async #writeRebalance({ name, status }: Extract<Action, { kind: "rebalanceStatus" }>): Promise<void> {
    const { api, ownWrites } = this.#ports;
    const { scope, facts, signal } = this.#context;
    const metadata = { namespace: facts.cluster.namespace, name };
    try {
      const manifest = { apiVersion: API_VERSION, kind: REBALANCE_KIND, metadata, status };
      const written = await api.applyStatus(resources.webSocketRebalances, manifest, { signal });
      ownWrites.wrote(scope, resources.webSocketRebalances, written);
      this.wrote++;
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  async #adoptRebalance(name: string): Promise<void> {
    const { api, ownWrites } = this.#ports;
    const { scope, facts, signal } = this.#context;
    const { cluster } = facts;
    const owner = { apiVersion: API_VERSION, kind: KIND, name: cluster.name, uid: cluster.uid, controller: true };
    const metadata = { labels: { [LABELS.cluster]: cluster.name }, ownerReferences: [owner] };
    try {
      const ref = { namespace: cluster.namespace, name };
      const written = await api.patch(resources.webSocketRebalances, ref, { metadata }, { type: "merge", signal });
      ownWrites.wrote(scope, resources.webSocketRebalances, written);
      this.wrote++;
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  async #setMode(action: Extract<Action, { kind: "mode" }>): Promise<void> {
    const target = this.#targetOf((pod) => pod.uid === action.pod);
    if (target === undefined) return;
    const { memory, signal, fence } = this.#context;
    const { writer, nowMs } = this.#ports;
    const what = `mode=${action.request.mode} sealed=${action.request.sealed}`;
    if (memory.isModeRecent(target.uid, what, nowMs())) return;
    const epoch = await fence();
    const outcome = await writer.setMode(target, action.request, epoch, this.#adminKey(), signal);
    if (outcome.kind === "accepted") memory.noteMode(target.uid, what, nowMs());
    this.#judge(outcome, target, what);
  }

  async #grant(grants: readonly PlannedGrant[]): Promise<void> {
    const epoch = await this.#context.fence();
    const { memory, facts, signal } = this.#context;
    const { writer, nowMs } = this.#ports;
    await Promise.all(
      grants.map(async (grant) => {
        const target = this.#targetOf((pod) => pod.key === grant.source);
        // Debited before it is sent: an answer that never comes must not give the tokens back.
        if (target === undefined) return;
        if (!memory.spend(grant, nowMs(), paceLimitsOf(facts.spec.moves))) {
          this.grants.push({ grant, outcome: "unpaid" });
          return;
        }
        const { intent, count, windowMs, deadlineMs, targets, edge, order, partition } = grant;
        const body = {
          intent,
          count,
          windowMs,
          deadlineMs,
          targets,
          ...(edge === undefined && order === undefined && partition === undefined
            ? {}
            : {
                select: {
                  ...(edge === undefined ? {} : { edge }),
                  ...(order === undefined ? {} : { order }),
                  ...(partition === undefined ? {} : { partition }),
                },
              }),
        };
        const outcome = await writer.grant(target, body, epoch, this.#adminKey(), signal);
        this.grants.push({ grant, outcome: outcome.kind });
        this.#judge(outcome, target, `grant ${intent} count=${count}`);
      }),
    );
  }

  #judge(outcome: WriteOutcome, target: WriteTarget, what: string): void {
    this.effects++;
    if (outcome.kind === "accepted") {
      this.notes.push(`${target.name}: ${what}`);
      return;
    }
    if (outcome.kind === "refused" && outcome.code === "stale-epoch") {
      throw new ActError(
        "deposed",
        `cannot write to pod ${target.name}: it follows epoch ${outcome.epoch}, a newer leader`,
      );
    }
    // One pod that does not answer must not hold up the others: the next pass asks again.
    this.notes.push(`${target.name}: ${what}: ${outcome.kind}: ${outcome.message}`);
  }

  #adminKey(): string {
    const { adminKey, facts } = this.#context;
    if (adminKey === undefined) {
      throw new ActError(
        "unsigned",
        `cannot write to the pods of ${facts.cluster.name}: its Secret has no key \`admin\``,
      );
    }
    return adminKey;
  }

  #targetOf(is: (pod: ServerPodFacts) => boolean): WriteTarget | undefined {
    const { facts } = this.#context;
    const pod = facts.pods.find(is);
    if (pod?.ip === undefined || pod.state.kind !== "known") return undefined;
    const state: PodState = pod.state.value;
    return { uid: pod.uid, name: pod.name, host: pod.ip, port: adminPortOf(facts, pod), state };
  }
}

/** The port that the pod was born with: the specification may say another one by now. */
export function adminPortOf(facts: Pick<ClusterFacts, "sets" | "spec">, pod: { readonly revision: string }): number {
  const template = facts.sets.find((set) => set.revision === pod.revision)?.template;
  return namedPortOf(template?.spec, "server", "admin") ?? facts.spec.server.adminPort ?? 8081;
}

/** The same for the port of its clients. */
export function clientPortOf(facts: Pick<ClusterFacts, "sets" | "spec">, pod: { readonly revision: string }): number {
  const template = facts.sets.find((set) => set.revision === pod.revision)?.template;
  return namedPortOf(template?.spec, "server", "ws") ?? facts.spec.server.port ?? 8080;
}

function namedPortOf(podSpec: unknown, container: string, port: string): number | undefined {
  const named = itemNamed(property(podSpec, "containers"), container);
  const number = property(itemNamed(property(named, "ports"), port), "containerPort");
  return typeof number === "number" ? number : undefined;
}

function itemNamed(list: unknown, name: string): unknown {
  return Array.isArray(list) ? list.find((item: unknown) => property(item, "name") === name) : undefined;
}

function property(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

function replicasOf(manifest: Manifest): number | undefined {
  const replicas = property(manifest["spec"], "replicas");
  return typeof replicas === "number" ? replicas : undefined;
}

/** Everything about an object that we or users write, and nothing that its controller does. */
function decidedOn({ metadata }: KubeObject): string {
  return `${metadata.generation} ${metadata.annotations?.[APPLIED_HASH_ANNOTATION]}`;
}

function encode(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}

/** Children have fixed names: an object of somebody else under one of them is left alone. */
function assertOurs(live: KubeObject | undefined, manifest: Manifest, uid: string): void {
  const controller = live?.metadata.ownerReferences?.find((owner) => owner.controller === true);
  const isForeign =
    live !== undefined && (controller === undefined ? !isLabelledOurs(live, manifest) : controller.uid !== uid);
  if (!isForeign) return;
  const owner =
    controller === undefined
      ? "it has no owner and not our labels"
      : `it belongs to ${controller.kind} ${controller.name}`;
  throw new ActError(
    "name-taken",
    `cannot write ${manifest.kind} ${manifest.metadata.name}: ${owner}; rename the WebSocketCluster or remove that object`,
  );
}

function isLabelledOurs(live: KubeObject, manifest: Manifest): boolean {
  const label = "wscluster.io/cluster";
  return live.metadata.labels?.[label] === manifest.metadata.labels?.[label];
}
