// From cached objects and polled states to frozen facts. Pure: everything comes in as an argument.
// Not here: caches (kube/), polling (contract/), what follows from the facts (decide/).
import {
  ANNOTATIONS,
  childNames,
  LABELS,
  webSocketClusterSpec,
  webSocketClusterStatus,
  type WebSocketClusterSpec,
  type WebSocketClusterStatus,
} from "@wscluster/crds";
import { podKey, type EdgeInstructions, type EdgeState, type PodMode, type PodState } from "@wscluster/protocol";
import type { ConfigMap, CustomObject, Node, Pod, PodDisruptionBudget, ReplicaSet } from "../kube/index.ts";
import { gateAtOf } from "./decide/gate.ts";
import { preflightOf, preflightStatusFor, preflightVerdict, steadyPreflight } from "./decide/preflight.ts";
import { stormOf } from "./decide/storm.ts";
import { parseLiveConfig } from "./decide/children/live-config.ts";
import {
  type ArrivalFacts,
  type AutoscaleFacts,
  type ClusterFacts,
  type EdgeSetFacts,
  type GateAt,
  type GateFacts,
  type MemoryFacts,
  type OperatorDefaults,
  type PodFacts,
  type Reading,
  SET_ROLES,
  SET_STEPS,
  type SetFacts,
  type SetMarks,
  type Template,
} from "./facts.ts";
import { nodeFactsOf } from "./nodes.ts";
import { otherBudgetsOf } from "./other-budgets.ts";
import { podTroubleOf } from "./pod-trouble.ts";
import { parseTrial } from "./trial-marks.ts";
import { projectEdge, projectServers, restartOf, revisionOf } from "./wanted.ts";

export type Sources = {
  readonly nowMs: number;
  readonly cluster: CustomObject;
  /** Objects of the cluster's namespace that carry its label. */
  readonly replicaSets: readonly ReplicaSet[];
  readonly pods: readonly Pod[];
  readonly configMaps: readonly ConfigMap[];
  /** All of the namespace: a user's budget may select our pods. */
  readonly budgets: readonly PodDisruptionBudget[];
  /** Undefined when nodes cannot be read. */
  readonly nodes: readonly Node[] | undefined;
  readonly keysExist: boolean;
  readonly podState: (uid: string) => Reading<PodState>;
  readonly edgeState: (uid: string) => Reading<EdgeState>;
  readonly arrivals: (uid: string) => ArrivalFacts | undefined;
  readonly memory: MemoryFacts;
  readonly defaults: OperatorDefaults;
  /** What the gates outside say at this point; absent = there are none. */
  readonly gates?: (at: GateAt, facts: UnjudgedFacts) => GateFacts;
  /** Why the namespace's quotas leave no room for the wanted revision; absent = they do, or nobody knows. */
  readonly quota?: string | undefined;
  /** The kill switch of the whole operator. */
  readonly operatorPaused?: boolean;
  /** What the operator's own autoscaler chose last; absent = it has not chosen yet. `rival`: somebody else scales, who is followed. */
  readonly autoscale?: AutoscaleFacts | undefined;
};

/** All that the gates themselves may know. */
export type UnjudgedFacts = Omit<ClusterFacts, "gate">;

export type Observation =
  | { readonly kind: "valid"; readonly facts: ClusterFacts }
  /** A newer rule rejects what is stored: nothing may be changed. */
  | { readonly kind: "invalid"; readonly message: string; readonly status: WebSocketClusterStatus | undefined };

export function observe(sources: Sources): Observation {
  const { cluster } = sources;
  const parsedStatus = webSocketClusterStatus.safeParse(cluster.status ?? {});
  const status = parsedStatus.success ? parsedStatus.data : undefined;
  const stored = webSocketClusterSpec.safeParse(cluster.spec ?? {});
  const spec = stored.success ? { ...stored, data: scaledSpec(stored.data, sources) } : stored;
  if (!spec.success) {
    const why = spec.error.issues.map((issue) => `\`${issue.path.join(".")}\`: ${issue.message}`).join("; ");
    return { kind: "invalid", message: `the stored specification breaks a rule: ${why}`, status };
  }
  const namespace = cluster.metadata.namespace ?? "default";
  const names = childNames(cluster.metadata.name);
  const mine = sources.replicaSets.filter((set) => isOwnedOrOrphan(set, cluster.metadata.uid));
  const owners = new Set([cluster.metadata.uid, ...mine.map((set) => set.metadata.uid)]);
  const pods = sources.pods.filter((pod) => owners.has(controllerOf(pod) ?? ""));
  const restart = restartOf(spec.data.restartAt, mine.flatMap(restartsInUse), sources.nowMs);
  const wanted = {
    servers: revisionOf(projectServers(spec.data, restart)),
    edge: revisionOf(projectEdge(spec.data)),
    restartedAt: restart.at,
    restartsAtMs: restart.nextMs,
  };
  const configMap = (name: string) => sources.configMaps.find((map) => map.metadata.name === name);
  const liveConfig = configMap(names.config)?.data?.["config.json"];
  const sets = mine
    .filter((set) => componentOf(set) === "server")
    .map((set) => setFactsOf(set, wanted.servers, sources.nowMs))
    .toSorted(byRevision);
  const edgePods = pods
    .filter((pod) => componentOf(pod) === "edge")
    .map((pod) => ({ ...podFactsOf(pod, "haproxy"), state: sources.edgeState(pod.metadata.uid) }))
    .toSorted(byName);
  const at = gateAtOf(sets, wanted.servers);
  const facts: UnjudgedFacts = {
    nowMs: sources.nowMs,
    cluster: {
      name: cluster.metadata.name,
      namespace,
      uid: cluster.metadata.uid,
      generation: cluster.metadata.generation ?? 1,
      deleting: cluster.metadata.deletionTimestamp !== undefined,
      status,
    },
    spec: spec.data,
    defaults: sources.defaults,
    operatorPaused: sources.operatorPaused ?? false,
    storm: stormOf(edgePods),
    wanted,
    sets,
    pods: pods
      .filter((pod) => componentOf(pod) === "server")
      .map((pod) => ({
        ...podFactsOf(pod, "server"),
        state: sources.podState(pod.metadata.uid),
        arrivals: sources.arrivals(pod.metadata.uid),
      }))
      .toSorted(byName),
    edgeSets: mine
      .filter((set) => componentOf(set) === "edge")
      .map(edgeSetFactsOf)
      .toSorted(byRevision),
    edgePods,
    instructions: parseInstructions(configMap(names.edgeInstructions)?.data?.["state.json"]),
    edgeConfigs: sources.configMaps.flatMap((map) => {
      const text = map.data?.["haproxy.cfg"];
      const revision = map.metadata.labels?.[LABELS.revision];
      if (text === undefined || revision === undefined) return [];
      return [{ revision, name: map.metadata.name, uid: map.metadata.uid, text }];
    }),
    config: liveConfig === undefined ? undefined : parseLiveConfig(liveConfig),
    keysExist: sources.keysExist,
    budgets: sources.budgets
      .filter(({ metadata }) => metadata.labels?.[LABELS.cluster] === cluster.metadata.name)
      .map(({ metadata: { name, uid, resourceVersion } }) => ({ name, uid, resourceVersion })),
    otherBudgets: otherBudgetsOf(sources.budgets, cluster.metadata.name, pods),
    nodes:
      sources.nodes === undefined
        ? undefined
        : new Map(sources.nodes.map((node) => [node.metadata.name, nodeFactsOf(node)])),
    memory: sources.memory,
    ...(sources.autoscale === undefined ? {} : { autoscale: sources.autoscale }),
  };
  // Nobody is asked about what is not done anyway.
  const isAsked = at !== undefined && spec.data.paused !== true && !facts.cluster.deleting;
  return { kind: "valid", facts: { ...facts, gate: isAsked ? gateOf(facts, at, sources) : undefined } };
}

/**
 * With an autoscaler of our own the number of pods is what it chose. Before its first choice, that is after a change of the leader,
 * it is what the ReplicaSet says: `replicas` may be years old.
 */
function scaledSpec(spec: WebSocketClusterSpec, { autoscale, replicaSets, cluster }: Sources): WebSocketClusterSpec {
  if (spec.autoscaling === undefined || autoscale?.rival !== undefined) return spec;
  if (autoscale !== undefined) return { ...spec, replicas: autoscale.replicas };
  const live = replicaSets
    .filter((set) => isOwnedOrOrphan(set, cluster.metadata.uid) && componentOf(set) === "server")
    .filter((set) => set.metadata.annotations?.[ANNOTATIONS.role] === "stable")
    .map((set) => set.spec?.replicas ?? 0);
  const { minReplicas = 2, maxReplicas } = spec.autoscaling;
  return { ...spec, replicas: Math.min(maxReplicas, Math.max(minReplicas, live[0] ?? spec.replicas)) };
}

type Labelled = {
  metadata: {
    labels?: Record<string, string>;
    ownerReferences?: { uid: string; controller?: boolean }[];
  };
};

function componentOf(object: Labelled): string | undefined {
  return object.metadata.labels?.[LABELS.component];
}

function controllerOf(object: Labelled): string | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true)?.uid;
}

/** An orphan with our labels (deletion with --cascade=orphan) is taken in again; what belongs to others is not. */
function gateOf(facts: UnjudgedFacts, at: GateAt, { gates, quota }: Sources): NonNullable<ClusterFacts["gate"]> {
  const verdicts = gates?.(at, facts) ?? {};
  // What the steps show is judged by what they show; what could be known before has been said before.
  if (at.point !== "preflight" && at.point !== "verify") return { at, verdicts, preflight: undefined };
  // Once its pods are there, a quota has nothing more to say.
  const judged = preflightOf(facts, at.point === "preflight" ? quota : undefined);
  const preflight = steadyPreflight(judged, at, facts.cluster.status?.preflight);
  const verdict = preflightVerdict(facts, preflight);
  return { at, verdicts: { ...verdicts, preflight: verdict }, preflight: preflightStatusFor(at, preflight, verdict) };
}

function isOwnedOrOrphan(object: Labelled, uid: string): boolean {
  const controller = controllerOf(object);
  return controller === undefined || controller === uid;
}

const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
const byRevision = (a: { revision: string }, b: { revision: string }) => (a.revision < b.revision ? -1 : 1);

function podFactsOf(pod: Pod, container: string): PodFacts {
  const labels = pod.metadata.labels ?? {};
  const ready = pod.status?.conditions?.find((condition) => condition.type === "Ready");
  const main = pod.status?.containerStatuses?.find((status) => status.name === container);
  const isReady = ready?.status === "True";
  return {
    name: pod.metadata.name,
    uid: pod.metadata.uid,
    key: podKey(pod.metadata.uid),
    resourceVersion: pod.metadata.resourceVersion,
    ip: pod.status?.podIP,
    node: pod.spec?.nodeName,
    revision: labels[LABELS.revision] ?? "",
    set: labels[LABELS.set] === "draining" ? "draining" : "attached",
    traffic: parseMode(labels[LABELS.traffic]),
    ownerUid: controllerOf(pod),
    phase: pod.status?.phase ?? "Pending",
    ready: isReady,
    readySinceMs: isReady ? parseTime(ready.lastTransitionTime) : undefined,
    deleting: pod.metadata.deletionTimestamp !== undefined,
    end: endOf(pod),
    running: main?.state?.running !== undefined,
    trouble: podTroubleOf(pod),
    createdAtMs: parseTime(pod.metadata.creationTimestamp) ?? 0,
    drainingSinceMs: parseTime(pod.metadata.annotations?.[ANNOTATIONS.drainingSince]),
    leavesFor: pod.metadata.annotations?.[ANNOTATIONS.leavesFor] === "recycle" ? "recycle" : "scaleDown",
  };
}

/** `deletionTimestamp` is the moment at which the kubelet kills, not the one at which somebody deleted. */
function endOf({ metadata }: Pod): PodFacts["end"] {
  const atMs = parseTime(metadata.deletionTimestamp);
  return atMs === undefined ? undefined : { atMs, graceMs: (metadata.deletionGracePeriodSeconds ?? 0) * 1000 };
}

function bodyOf(set: ReplicaSet) {
  const annotations = set.metadata.annotations ?? {};
  const live = set.spec?.template;
  const fallback: Template = {
    metadata: { labels: live?.metadata?.labels ?? {} },
    // The live template of an object that lost its annotation: defaults of the server included, but exact.
    spec: { ...live?.spec },
  };
  return {
    revision: set.metadata.labels?.[LABELS.revision] ?? "",
    image: annotations[ANNOTATIONS.image] ?? live?.spec?.containers?.[0]?.image ?? "",
    rendererVersion: annotations[ANNOTATIONS.rendererVersion] ?? "",
    template: parseTemplate(annotations[ANNOTATIONS.template]) ?? fallback,
    source: annotations[ANNOTATIONS.source],
    name: set.metadata.name,
    uid: set.metadata.uid,
    resourceVersion: set.metadata.resourceVersion,
    createdAtMs: parseTime(set.metadata.creationTimestamp) ?? 0,
    replicas: set.spec?.replicas ?? 1,
    traffic: parseMode(live?.metadata?.labels?.[LABELS.traffic]),
    countedPods: set.status?.observedGeneration === set.metadata.generation ? (set.status?.replicas ?? 0) : undefined,
  };
}

function edgeSetFactsOf(set: ReplicaSet): EdgeSetFacts {
  const drainingSinceMs = parseTime(set.metadata.annotations?.[ANNOTATIONS.drainingSince]);
  return { ...bodyOf(set), drainingSinceMs };
}

function setFactsOf(set: ReplicaSet, wanted: string, nowMs: number): SetFacts {
  const body = bodyOf(set);
  return { ...body, ...marksOf(set, body, wanted, nowMs) };
}

function marksOf(
  set: ReplicaSet,
  body: { readonly revision: string; readonly createdAtMs: number },
  wanted: string,
  nowMs: number,
): SetMarks {
  const annotations = set.metadata.annotations ?? {};
  const role = SET_ROLES.find((name) => name === annotations[ANNOTATIONS.role]);
  const step = SET_STEPS.find((name) => name === annotations[ANNOTATIONS.step]);
  const common = {
    color: annotations[ANNOTATIONS.color] ?? "blue",
    attempt: annotations[ANNOTATIONS.attempt] ?? `${body.revision}/1`,
    startedAtMs: parseTime(annotations[ANNOTATIONS.startedAt]) ?? body.createdAtMs,
    switchedAtMs: parseTime(annotations[ANNOTATIONS.switchedAt]),
    movedAtMs: parseTime(annotations[ANNOTATIONS.movedAt]),
    restartedAtMs: parseTime(annotations[ANNOTATIONS.restartedAt]),
    trial: parseTrial(annotations[ANNOTATIONS.trial]),
    aborted: annotations[ANNOTATIONS.aborted],
  };
  if (role !== undefined && step !== undefined) return { role, step, ...common };
  // Somebody removed our marks: the mildest reading. Never the one that would seal pods.
  return body.revision === wanted
    ? { ...common, role: "stable", step: "serve" }
    : { ...common, role: "retired", step: "retain", movedAtMs: common.movedAtMs ?? nowMs };
}

/** Of sets that serve or are to: what an aborted or retired one has behind it binds nobody. */
function restartsInUse(set: ReplicaSet): (number | undefined)[] {
  const { role, restartedAt } = ANNOTATIONS;
  const annotations = set.metadata.annotations ?? {};
  return ["stable", "candidate"].includes(annotations[role] ?? "") ? [parseTime(annotations[restartedAt])] : [];
}

function parseMode(value: string | undefined): PodMode {
  return value === "active" || value === "preview" ? value : "none";
}

/** RFC 3339 to milliseconds. */
function parseTime(value: string | Date | undefined): number | undefined {
  if (value === undefined) return undefined;
  const ms = new Date(value).getTime();
  return Number.isNaN(ms) ? undefined : ms;
}

function parseJson(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseTemplate(text: string | undefined): Template | undefined {
  const value = parseJson(text);
  if (!isRecord(value) || !isRecord(value["metadata"]) || !isRecord(value["spec"])) return undefined;
  const { labels, annotations } = value["metadata"];
  if (!isTextMap(labels)) return undefined;
  return { metadata: { labels, ...(isTextMap(annotations) ? { annotations } : {}) }, spec: value["spec"] };
}

function isTextMap(value: unknown): value is Record<string, string> {
  return isRecord(value) && Object.values(value).every((part) => typeof part === "string");
}

function parseInstructions(text: string | undefined): EdgeInstructions | undefined {
  const value = parseJson(text);
  if (!isRecord(value)) return undefined;
  const { generation, takesNew, share } = value;
  if (typeof generation !== "number" || !Array.isArray(takesNew)) return undefined;
  const names = takesNew.filter((name) => typeof name === "string");
  if (!isRecord(share)) return { generation, takesNew: names };
  return {
    generation,
    takesNew: names,
    share: { revision: String(share["revision"]), percent: Number(share["percent"]) },
  };
}
