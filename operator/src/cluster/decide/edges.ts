// What the edge knows and has acknowledged. Pure predicates over facts.
import type { EdgeInstructions } from "@wscluster/protocol";
import { type ClusterFacts, type EdgePodFacts, freshValue, isFresh } from "../facts.ts";
import { attachedPods, type PlannedSet } from "./sets.ts";

/** Edge pods through which a client can come: ready, or at least alive enough to answer. */
export function liveEdges(facts: Pick<ClusterFacts, "edgePods">): EdgePodFacts[] {
  return facts.edgePods.filter((pod) => !pod.deleting && pod.running && (pod.ready || isFresh(pod.state)));
}

export function hasEdge(facts: Pick<ClusterFacts, "spec">): boolean {
  return facts.spec.edge?.enabled !== false;
}

/** The first edge that does not know one of these pods, or undefined when all know all. */
export function edgeMissing(facts: ClusterFacts, keys: readonly string[]): { edge: string; why: string } | undefined {
  if (!hasEdge(facts)) return undefined;
  const edges = liveEdges(facts);
  if (edges.length === 0) return { edge: "-", why: "no edge pod is running" };
  for (const edge of edges) {
    const state = freshValue(edge.state);
    if (state === undefined) return { edge: edge.name, why: "its state cannot be read" };
    const missing = keys.filter((key) => !Object.hasOwn(state.servers, key)).length;
    if (missing > 0) return { edge: edge.name, why: `it does not know ${missing} of ${keys.length} pods yet` };
  }
  return undefined;
}

/** The first edge that does not follow the present instructions yet. */
export function edgeBehind(facts: ClusterFacts): { edge: string; why: string } | undefined {
  if (!hasEdge(facts)) return undefined;
  const generation = facts.instructions?.generation;
  if (generation === undefined) return { edge: "-", why: "there are no instructions yet" };
  const edges = liveEdges(facts);
  if (edges.length === 0) return { edge: "-", why: "no edge pod is running" };
  for (const edge of edges) {
    const state = freshValue(edge.state);
    if (state === undefined) return { edge: edge.name, why: "its state cannot be read" };
    if (state.generation < generation) {
      return { edge: edge.name, why: `it follows generation ${state.generation} of ${generation}` };
    }
  }
  return undefined;
}

/**
 * New connections are led to this set and to no other, as every live edge has confirmed.
 */
export function isHandedOver(facts: ClusterFacts, taker: PlannedSet | undefined): boolean {
  if (taker === undefined || !isLabelled(facts, taker)) return false;
  if (!hasEdge(facts)) return true;
  const takesNew = facts.instructions?.takesNew ?? [];
  return takesNew.length === 1 && takesNew[0] === taker.revision && edgeBehind(facts) === undefined;
}

/** Every ready pod of the set carries the label that lets the edge use it, and there is one. */
export function isLabelled(facts: ClusterFacts, taker: PlannedSet): boolean {
  const ready = attachedPods(facts.pods, taker).filter((pod) => pod.ready);
  return ready.length > 0 && ready.every((pod) => pod.traffic === "active");
}

/**
 * Instructions as they are to be. The new taker is named only when its pods carry their label: the agents take both
 * together, and a taker without a usable pod would leave nobody.
 */
export function instructionsFor(facts: ClusterFacts, taker: PlannedSet | undefined): EdgeInstructions | undefined {
  if (!hasEdge(facts)) return undefined;
  const present = facts.instructions;
  const nobodyYet = present === undefined || present.takesNew.length === 0;
  if (taker === undefined || (!nobodyYet && !isLabelled(facts, taker))) return present;
  if (present?.takesNew.length === 1 && present.takesNew[0] === taker.revision) return present;
  // Above everything that any agent has seen, also if the ConfigMap was deleted meanwhile.
  const seen = facts.edgePods.map((pod) => (pod.state.kind === "known" ? pod.state.value.generation : 0));
  const generation = Math.max(present?.generation ?? 0, ...seen) + 1;
  return { generation, takesNew: [taker.revision] };
}
