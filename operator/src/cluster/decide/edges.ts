// What the edge knows and has acknowledged. Pure predicates over facts.
import type { EdgeInstructions, EdgeShare } from "@wscluster/protocol";
import { type ClusterFacts, type EdgePodFacts, freshValue, isFresh } from "../facts.ts";
import { leavingPods, shareOf } from "./rollout/plan-of-steps.ts";
import { attachedPods, type PlannedSet, takerOf } from "./sets.ts";

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
    const share = facts.instructions?.share;
    if (share !== undefined && !isSameShare(state.share, share)) {
      return {
        edge: edge.name,
        why: `it does not lead ${share.percent} % of the new connections to the candidate; an edge pod that is older than this feature cannot (a change of \`edge.agentImage\` replaces it)`,
      };
    }
  }
  return undefined;
}

/** Who is to get unnamed arrivals. */
export type Arrivals = {
  readonly main: PlannedSet | undefined;
  /** Gets a part of them. */
  readonly share: { readonly set: PlannedSet; readonly percent: number } | undefined;
  /** Pods of the main set that get none any more, by uid. */
  readonly leaving: ReadonlySet<string>;
};

export function arrivalsOf(facts: ClusterFacts, sets: readonly PlannedSet[]): Arrivals {
  const taker = takerOf(sets);
  const leaving = new Set(leavingPods(facts, sets).leaving.map((pod) => pod.uid));
  const candidate = sets.find((set) => set.role === "candidate" && set !== taker);
  const percent = candidate === undefined ? undefined : shareOf(facts.spec, candidate);
  if (candidate === undefined || percent === undefined || percent === 0) {
    return { main: taker, share: undefined, leaving };
  }
  return percent >= 100
    ? { main: candidate, share: undefined, leaving }
    : { main: taker, share: { set: candidate, percent }, leaving };
}

/** New connections are led to this set and to no other, or in these parts, as every live edge has confirmed. */
export function isHandedOver(facts: ClusterFacts, arrivals: Arrivals): boolean {
  const { main, share } = arrivals;
  if (main === undefined || !areLabelled(facts, arrivals)) return false;
  if (!hasEdge(facts)) return share === undefined;
  return isInstructed(facts.instructions, main.revision, shareText(share)) && edgeBehind(facts) === undefined;
}

function shareText(share: Arrivals["share"]): EdgeShare | undefined {
  return share === undefined ? undefined : { revision: share.set.revision, percent: share.percent };
}

function isInstructed(instructions: EdgeInstructions | undefined, main: string, share: EdgeShare | undefined): boolean {
  const takesNew = instructions?.takesNew ?? [];
  return takesNew.length === 1 && takesNew[0] === main && isSameShare(instructions?.share, share);
}

function isSameShare(a: EdgeShare | undefined, b: EdgeShare | undefined): boolean {
  return a?.revision === b?.revision && a?.percent === b?.percent;
}

/** Every ready pod that is to be used carries the label that lets the edge use it, and of each set there is one. */
function areLabelled(facts: ClusterFacts, { main, share, leaving }: Arrivals): boolean {
  return [main, share?.set].every((set) => {
    if (set === undefined) return true;
    const ready = attachedPods(facts.pods, set).filter((pod) => pod.ready && !leaving.has(pod.uid));
    return ready.length > 0 && ready.every((pod) => pod.traffic === "active");
  });
}

/**
 * Instructions as they are to be. A new taker is named only when its pods carry their label: the agents take both
 * together, and a taker without a usable pod would leave nobody.
 */
export function instructionsFor(facts: ClusterFacts, arrivals: Arrivals): EdgeInstructions | undefined {
  if (!hasEdge(facts)) return undefined;
  const present = facts.instructions;
  const { main } = arrivals;
  const nobodyYet = present === undefined || present.takesNew.length === 0;
  if (main === undefined || (!nobodyYet && !areLabelled(facts, arrivals))) return present;
  const share = shareText(arrivals.share);
  if (isInstructed(present, main.revision, share)) return present;
  // Above everything that any agent has seen, also if the ConfigMap was deleted meanwhile.
  const seen = facts.edgePods.map((pod) => (pod.state.kind === "known" ? pod.state.value.generation : 0));
  const generation = Math.max(present?.generation ?? 0, ...seen) + 1;
  return { generation, takesNew: [main.revision], ...(share === undefined ? {} : { share }) };
}
