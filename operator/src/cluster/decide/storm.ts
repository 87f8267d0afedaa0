// The storm brake as the operator sees it: how the limit is shared out over the edges, and whether they refuse. Pure.
// Not here: the refusing (edge/brake.ts, the proxy).
import { type ClusterFacts, type EdgePodFacts, freshValue, type StormFacts } from "../facts.ts";
import { liveEdges } from "./edges.ts";

/** New connections per second that each edge may let in; undefined = as many as come. */
export function admitPerEdge(facts: Pick<ClusterFacts, "spec" | "edgePods">): number | undefined {
  const perSecond = facts.spec.edge?.newConnectionsPerSecond;
  if (perSecond === undefined) return undefined;
  // Edges that have left the Service take nobody; an edge that is not counted yet must not let the others have its part twice.
  const edges = liveEdges(facts).filter((pod) => pod.traffic === "active").length;
  return Math.max(1, Math.floor(perSecond / Math.max(1, edges)));
}

/** Some edge refused within the last seconds: more come than the fleet bears. */
export function stormOf(edgePods: readonly EdgePodFacts[]): StormFacts | undefined {
  const states = edgePods.flatMap((pod) => freshValue(pod.state)?.admission ?? []);
  if (states.every(({ refusedPerSecond }) => refusedPerSecond === 0)) return undefined;
  const admitted = states.reduce((sum, state) => sum + state.admittedPerSecond, 0);
  const refused = states.reduce((sum, state) => sum + state.refusedPerSecond, 0);
  return { arrivalsPerSecond: Math.round(admitted + refused), admittedPerSecond: Math.round(admitted) };
}
