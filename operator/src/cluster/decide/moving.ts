// Which pods are to be left and by whom they may be taken in: the donors and targets that the move planner gets. Pure.
import type { IntentId } from "@wscluster/protocol";
import { type ClusterFacts, type EdgePodFacts, freshValue, type ServerPodFacts } from "../facts.ts";
import type { Donor, Target } from "../../moves/planner.ts";
import type { Dependencies } from "./dependencies.ts";
import { hasEdge, liveEdges } from "./edges.ts";
import { doomOf, isCordoned, isEvacuated } from "./evacuation.ts";
import { intentFor } from "./decision.ts";
import { attachedPods, type PlannedSet } from "./sets.ts";

export type Movement = {
  readonly donors: readonly Donor[];
  readonly targets: readonly Target[];
  /** Why nothing may move now although somebody should. */
  readonly held: "DependencyFreeze" | "MovesPaused" | "NotHandedOver" | undefined;
};

export function movementOf(
  facts: ClusterFacts,
  sets: readonly PlannedSet[],
  taker: PlannedSet | undefined,
  isHandedOver: boolean,
  dependencies: Dependencies,
  leavingEdges: readonly string[],
): Movement {
  const all = [...podDonors(facts, sets, taker), ...edgeDonors(facts, leavingEdges)];
  const targets = taker === undefined ? [] : targetsOf(facts, taker);
  // A pod may not be asked to send to itself or to one that leaves as well; targets are of the taker and attached.
  const held =
    dependencies.state !== "ok"
      ? "DependencyFreeze"
      : facts.spec.moves?.paused === true
        ? "MovesPaused"
        : isHandedOver
          ? undefined
          : "NotHandedOver";
  // Targets are proved one by one: who has somebody else's deadline does not wait for the hand-over.
  const urgent = all.filter((donor) => donor.isEmergency === true);
  return held === "NotHandedOver" && urgent.length > 0
    ? { donors: urgent, targets, held: undefined }
    : { donors: all, targets, held };
}

function podDonors(facts: ClusterFacts, sets: readonly PlannedSet[], taker: PlannedSet | undefined): Donor[] {
  return facts.pods.flatMap((pod) => {
    const state = freshValue(pod.state);
    if (!pod.running || state === undefined || state.connections === 0) return [];
    const set = sets.find((candidate) => candidate.revision === pod.revision);
    const isUrgent = doomOf(facts, pod) !== undefined && !isLastResort(facts, pod, taker);
    // The same intent as the pod's own drain: both share its receipts.
    const intent: IntentId | undefined =
      taker !== undefined && (isUrgent || isEvacuated(facts, pod)) && !isLastResort(facts, pod, taker)
        ? `evacuate/${pod.key}`
        : intentOf(pod, set, taker);
    if (intent === undefined) return [];
    // Stable is the way back: it is emptied last.
    const turn = set?.role === "stable" ? 1 : 0;
    return [
      {
        key: pod.key,
        intent,
        connections: state.connections,
        moving: state.moving,
        turn,
        ...(isUrgent ? { isEmergency: true } : {}),
      },
    ];
  });
}

/** Still attached and taking new connections because there is nobody else: it is not left. */
function isLastResort(facts: ClusterFacts, pod: ServerPodFacts, taker: PlannedSet | undefined): boolean {
  return pod.set === "attached" && !pod.deleting && pod.revision === taker?.revision && isCordoned(facts, pod);
}

function intentOf(
  pod: { readonly key: string; readonly set: string },
  set: PlannedSet | undefined,
  taker: PlannedSet | undefined,
): IntentId | undefined {
  if (taker === undefined) return undefined;
  if (pod.set === "draining") return `scaleDown/${pod.key}`;
  if (set === undefined || set === taker) return undefined;
  if (set.step === "back") return intentFor("rollback", set);
  if (taker.role === "candidate") return taker.step === "move" ? intentFor("rollout", taker) : undefined;
  // Nobody moves onto a set that is to be left itself.
  return taker.role === "stable" && set.role !== "candidate" ? intentFor("rollout", taker) : undefined;
}

function edgeDonors(facts: ClusterFacts, leavingEdges: readonly string[]): Donor[] {
  return facts.edgePods.flatMap((edge) => {
    const state = freshValue(edge.state);
    if (state === undefined || !leavingEdges.includes(edge.key)) return [];
    return Object.entries(state.servers).flatMap(([key, server]) => {
      const pod = facts.pods.find((candidate) => candidate.key === key);
      if (server.sessions === 0 || pod === undefined || pod.deleting) return [];
      const intent: IntentId = `edgeDrain/${edge.key}`;
      // Which of the pod's clients are being asked is not known by edge: none is asked twice rather than some.
      const moving = Math.min(server.sessions, freshValue(pod.state)?.moving ?? 0);
      const isEmergency = edge.deleting;
      const donor: Donor = { key, intent, connections: server.sessions, moving, edge: edge.key };
      return [isEmergency ? { ...donor, isEmergency } : donor];
    });
  });
}

/** No grant names a pod before every live edge knows it: its clients would be led nowhere. */
export function targetsOf(facts: ClusterFacts, taker: PlannedSet): Target[] {
  const edges = hasEdge(facts) ? liveEdges(facts) : [];
  if (hasEdge(facts) && edges.length === 0) return [];
  const pods = attachedPods(facts.pods, taker);
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

/** Connections on pods that somebody means to empty; undefined parts are not counted. */
export function connectionsLeft(donors: readonly Donor[]): number {
  return donors.reduce((sum, donor) => sum + donor.connections, 0);
}
