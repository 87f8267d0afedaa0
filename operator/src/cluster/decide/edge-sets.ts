// The edge as a set: one ReplicaSet per edge revision; the old one leaves the Service by label, gives its clients to the
// new one through the move engine, and goes when it is empty. Pure.
import type { PodMode } from "@wscluster/protocol";
import { type ClusterFacts, type EdgePodFacts, type EdgeSetFacts, freshValue, type SetBody } from "../facts.ts";
import type { Action, EventValue } from "../plan.ts";
import { setBudgetFor } from "./children/budgets.ts";
import { edgeConfigMapFor, edgeConfigTextFor, edgeTemplateFor } from "./children/edge.ts";
import { replicaSetFor } from "./children/replica-set.ts";
import { RENDERER_VERSION } from "./children/server-template.ts";
import type { Dependencies } from "./dependencies.ts";
import { drainMs } from "./draining.ts";
import { hasEdge } from "./edges.ts";
import { holdOf } from "./holds.ts";
import { trafficPatch } from "./pod-patches.ts";

export const DEFAULT_EDGE_REPLICAS = 2;

export type EdgePlan = {
  readonly actions: readonly Action[];
  readonly removals: readonly Action[];
  /** Names of the PodDisruptionBudgets that belong. */
  readonly budgets: readonly string[];
  /** KEYs of edge pods whose clients are to move to another edge. */
  readonly leaving: readonly string[];
  readonly isRolling: boolean;
  readonly events: readonly EventValue[];
};

export function planEdge(facts: ClusterFacts, dependencies: Dependencies): EdgePlan {
  const { cluster, spec, defaults, wanted } = facts;
  const revision = wanted.edge;
  const replicas = hasEdge(facts) ? (spec.edge?.replicas ?? DEFAULT_EDGE_REPLICAS) : 0;
  const live = facts.edgeSets.find((set) => set.revision === revision);
  const actions: Action[] = [];
  const removals: Action[] = [];
  const budgets: string[] = [];
  const leaving: string[] = [];
  const events: EventValue[] = [];
  if (hasEdge(facts) || live !== undefined) {
    actions.push(...configActions(facts, revision));
    const body = live ?? {
      revision,
      image: spec.edge?.image ?? defaults.edgeImage,
      rendererVersion: RENDERER_VERSION,
      template: edgeTemplateFor(facts, revision),
      source: undefined,
    };
    const name = `${cluster.name}-edge-${revision}`;
    budgets.push(name);
    actions.push(
      {
        kind: "apply",
        manifest: replicaSetFor(cluster, { ...bodyOf(body), name, component: "edge", replicas, traffic: "active" }),
      },
      { kind: "apply", manifest: setBudgetFor(cluster, name, revision, "edge") },
      ...relabel(podsOf(facts, revision), "active"),
    );
  }
  const isCurrentReady = isReadyAndInformed(facts, revision, replicas);
  const others = facts.edgeSets.filter((set) => set.revision !== revision);
  for (const set of others) {
    const pods = podsOf(facts, set.revision);
    const traffic: PodMode = isCurrentReady ? "none" : set.traffic;
    if (traffic === "none") leaving.push(...pods.map((pod) => pod.key));
    // Gone from the Service and known to be empty, all of them: only then may the ReplicaSet take them, in any order.
    const isEmpty = pods.every((pod) => pod.traffic === "none" && isEdgeEmpty(pod)) && set.traffic === "none";
    const drainingSinceMs = traffic === "none" ? drainingSinceOf(facts, set, dependencies) : undefined;
    // Its pods get SIGTERM: they wait once more, and a client that cannot move comes back through another edge.
    const isOverdue = set.traffic === "none" && drainingSinceMs !== undefined && leftMs(facts, drainingSinceMs) <= 0;
    if (isOverdue && !isEmpty && set.replicas > 0) events.push(overdueEvent(set, pods));
    if (pods.length === 0 && set.replicas === 0) {
      const { name, uid, resourceVersion } = set;
      removals.push({ kind: "delete", resource: "replicaSets", name, uid, resourceVersion });
      continue;
    }
    budgets.push(set.name);
    actions.push(
      {
        kind: "apply",
        manifest: replicaSetFor(cluster, {
          ...bodyOf(set),
          name: set.name,
          component: "edge",
          replicas: isEmpty || isOverdue ? 0 : set.replicas,
          traffic,
          ...(drainingSinceMs === undefined ? {} : { drainingSinceMs }),
          ...((isEmpty || isOverdue) && set.replicas > 0
            ? { guard: { uid: set.uid, resourceVersion: set.resourceVersion } }
            : {}),
        }),
      },
      { kind: "apply", manifest: setBudgetFor(cluster, set.name, set.revision, "edge") },
      ...relabel(pods, traffic),
    );
  }
  // Deleted from outside, evicted, or one too many: its preStop hook keeps it alive while its clients move.
  leaving.push(...facts.edgePods.filter((pod) => pod.deleting).map((pod) => pod.key));
  const used = new Set([revision, ...others.map((set) => set.revision)]);
  for (const { name, uid, revision: of } of facts.edgeConfigs) {
    if (!used.has(of)) removals.push({ kind: "delete", resource: "configMaps", name, uid });
  }
  return { actions, removals, budgets, leaving, isRolling: others.some((set) => set.replicas > 0), events };
}

/** The time of a set that leaves begins when it leaves, and anew while nothing may move: what is stopped is not to blame. */
function drainingSinceOf(facts: ClusterFacts, set: EdgeSetFacts, dependencies: Dependencies): number {
  const { drainingSinceMs: sinceMs } = set;
  if (sinceMs === undefined) return facts.nowMs;
  const isHeld = holdOf(facts, dependencies, "voluntary") !== undefined;
  return isHeld && leftMs(facts, sinceMs) < drainMs(facts) / 2 ? facts.nowMs : sinceMs;
}

function leftMs(facts: ClusterFacts, sinceMs: number): number {
  return sinceMs + drainMs(facts) - facts.nowMs;
}

function overdueEvent(set: EdgeSetFacts, pods: readonly EdgePodFacts[]): EventValue {
  const left = pods.reduce((sum, pod) => sum + (freshValue(pod.state)?.connections ?? 0), 0);
  return {
    reason: "DrainDeadlineExceeded",
    message: `the edge pods of ${set.name} are deleted with ${left} connections left: these are asked once more while the pods end`,
  };
}

function bodyOf({ revision, image, rendererVersion, template, source }: SetBody) {
  return { revision, image, rendererVersion, template, source };
}

/** Written when an edge revision begins; a newer renderer leaves the text of a running revision alone. */
function configActions(facts: ClusterFacts, revision: string): Action[] {
  const stored = facts.edgeConfigs.find((config) => config.revision === revision);
  const text = stored?.text ?? edgeConfigTextFor(facts.spec);
  return [{ kind: "apply", manifest: edgeConfigMapFor(facts.cluster, revision, text) }];
}

function podsOf(facts: ClusterFacts, revision: string): EdgePodFacts[] {
  return facts.edgePods.filter((pod) => pod.revision === revision && !pod.deleting);
}

function relabel(pods: readonly EdgePodFacts[], traffic: PodMode): Action[] {
  return pods.filter((pod) => pod.traffic !== traffic).map((pod) => trafficPatch(pod, traffic));
}

function isEdgeEmpty(pod: EdgePodFacts): boolean {
  if (!pod.running) return true;
  const state = freshValue(pod.state);
  return state !== undefined && state.connections === 0;
}

function isReadyAndInformed(facts: ClusterFacts, revision: string, replicas: number): boolean {
  const pods = podsOf(facts, revision);
  const generation = facts.instructions?.generation ?? 0;
  const informed = pods.filter((pod) => pod.ready && (freshValue(pod.state)?.generation ?? -1) >= generation);
  return informed.length === replicas && pods.length === replicas;
}
