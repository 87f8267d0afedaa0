// The edge as a set: one ReplicaSet per edge revision; the old one leaves the Service by label, gives its clients to the
// new one through the move engine, and goes when it is empty. Pure.
import type { PodMode } from "@wscluster/protocol";
import { type ClusterFacts, type EdgePodFacts, type EdgeSetFacts, freshValue } from "../facts.ts";
import type { Action } from "../plan.ts";
import { setBudgetFor } from "./children/budgets.ts";
import { edgeConfigMapFor, edgeConfigTextFor, edgeTemplateFor } from "./children/edge.ts";
import { replicaSetFor } from "./children/replica-set.ts";
import { RENDERER_VERSION } from "./children/server-template.ts";
import { hasEdge } from "./edges.ts";
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
};

export function planEdge(facts: ClusterFacts): EdgePlan {
  const { cluster, spec, defaults, wanted } = facts;
  const revision = wanted.edge;
  const replicas = hasEdge(facts) ? (spec.edge?.replicas ?? DEFAULT_EDGE_REPLICAS) : 0;
  const live = facts.edgeSets.find((set) => set.revision === revision);
  const actions: Action[] = [];
  const removals: Action[] = [];
  const budgets: string[] = [];
  const leaving: string[] = [];
  if (hasEdge(facts) || live !== undefined) {
    actions.push(...configActions(facts, revision));
    const body = live ?? {
      revision,
      image: spec.edge?.image ?? defaults.edgeImage,
      rendererVersion: RENDERER_VERSION,
      template: edgeTemplateFor(facts, revision),
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
          replicas: isEmpty ? 0 : set.replicas,
          traffic,
          ...(isEmpty && set.replicas > 0 ? { guard: { uid: set.uid, resourceVersion: set.resourceVersion } } : {}),
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
  return { actions, removals, budgets, leaving, isRolling: others.some((set) => set.replicas > 0) };
}

function bodyOf({
  revision,
  image,
  rendererVersion,
  template,
}: Pick<EdgeSetFacts, "revision" | "image" | "rendererVersion" | "template">) {
  return { revision, image, rendererVersion, template };
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
