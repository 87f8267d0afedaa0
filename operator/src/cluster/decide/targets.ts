// By whom connections may be taken in. Pure.
import { type ClusterFacts, type EdgePodFacts, freshValue, type ServerPodFacts } from "../facts.ts";
import type { Target } from "../../moves/planner.ts";
import type { Dependencies } from "./dependencies.ts";
import { hasEdge, liveEdges } from "./edges.ts";
import { isCordoned } from "./evacuation.ts";
import { attachedPods, type PlannedSet } from "./sets.ts";

/** No grant names a pod before every live edge knows it: its clients would be led nowhere. */
export function targetsOf(
  facts: ClusterFacts,
  taker: PlannedSet,
  dependencies: Pick<Dependencies, "state"> = { state: "ok" },
): Target[] {
  const edges = hasEdge(facts) ? liveEdges(facts) : [];
  if (hasEdge(facts) && edges.length === 0) return [];
  // While the store is away for most, who has it can still take in those who have no time to wait.
  const pods = attachedPods(facts.pods, taker).filter(
    (pod) => dependencies.state === "ok" || freshValue(pod.state)?.broker.ok === true,
  );
  const safe = targetsAmong(
    pods.filter((pod) => !isCordoned(facts, pod)),
    edges,
  );
  // Who has to go soon himself is the last resort.
  return safe.length > 0 ? safe : targetsAmong(pods, edges);
}

function targetsAmong(pods: readonly ServerPodFacts[], edges: readonly EdgePodFacts[]): Target[] {
  return pods.flatMap((pod) => {
    const state = freshValue(pod.state);
    if (!pod.ready || state === undefined || state.sealed || state.terminating || state.mode !== "active") return [];
    const isKnown = edges.every((edge) => {
      const known = freshValue(edge.state);
      return known !== undefined && Object.hasOwn(known.servers, pod.key);
    });
    if (!isKnown) return [];
    const { connections, preparing, capacity, pressure } = state;
    return [{ key: pod.key, connections, preparing, capacity, pressure }];
  });
}
