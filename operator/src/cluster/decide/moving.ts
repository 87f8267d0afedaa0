// Which pods are to be left and by whom they may be taken in: the donors and targets that the move planner gets. Pure.
import type { IntentId } from "@wscluster/protocol";
import { type ClusterFacts, connectionsOf, freshValue, type ServerPodFacts } from "../facts.ts";
import { type Donor, rankOf, type Target } from "../../moves/planner.ts";
import type { Dependencies } from "./dependencies.ts";
import { doomOf, isCordoned, isEvacuated, isInLastPart } from "./evacuation.ts";
import { intentFor } from "./decision.ts";
import type { PausedBy } from "./rollout/draft.ts";
import { type TrialMoves, trialMoves } from "./trial-moves.ts";
import { type Hold, holdOf, type MoveClass } from "./holds.ts";
import { attachedPods, type PlannedSet } from "./sets.ts";
import { targetsOf } from "./targets.ts";

export type Movement = {
  readonly donors: readonly Donor[];
  /** Of the donors: those that may be asked now. */
  readonly allowed: readonly Donor[];
  readonly targets: readonly Target[];
  /** What a step of a trial moves, onto the candidate and nobody else; undefined while no step moves. */
  readonly trial: TrialMoves | undefined;
  /** Why the others may not, of the most urgent one that may not. */
  readonly held: Hold | { readonly reason: "NotHandedOver" | "RolloutPaused"; readonly message: string } | undefined;
};

const NOT_HANDED_OVER = {
  reason: "NotHandedOver",
  message: "new connections are still being led to the set that is to take over",
} as const;

const PAUSED = { reason: "RolloutPaused", message: "the rollout is paused: nothing moves for it" } as const;

export function movementOf(
  facts: ClusterFacts,
  sets: readonly PlannedSet[],
  taker: PlannedSet | undefined,
  isHandedOver: boolean,
  dependencies: Dependencies,
  leavingEdges: readonly string[],
  paused?: PausedBy,
): Movement {
  const all = [...podDonors(facts, sets, taker), ...edgeDonors(facts, leavingEdges)];
  // A pod may not be asked to send to itself or to one that leaves as well; targets are of the taker and attached.
  const targets = taker === undefined ? [] : targetsOf(facts, taker, dependencies);
  const allowed: Donor[] = [];
  let held: Movement["held"];
  for (const donor of all.toSorted((a, b) => rankOf(a.intent) - rankOf(b.intent))) {
    const hold =
      (paused !== undefined && donor.intent.startsWith("rollout/") ? PAUSED : undefined) ??
      holdOf(facts, dependencies, classOf(facts, donor)) ??
      // Targets are proved one by one: who has somebody else's deadline does not wait for the hand-over.
      (isHandedOver || donor.isEmergency === true ? undefined : NOT_HANDED_OVER);
    if (hold === undefined) allowed.push(donor);
    held ??= hold;
  }
  const trial = trialMoves(facts, sets, dependencies, new Set(all.map((donor) => donor.key)));
  if (trial === undefined) return { donors: all, allowed, targets, trial, held };
  const hold = paused === undefined ? holdOf(facts, dependencies, "voluntary") : PAUSED;
  if (hold === undefined) return { donors: all, allowed, targets, trial, held };
  return { donors: all, allowed, targets, trial: { ...trial, donors: [], limit: 0 }, held: held ?? hold };
}

/** What a donor's moves are, as far as it matters for who may stop them. */
function classOf(facts: ClusterFacts, donor: Donor): MoveClass {
  const kind = donor.intent.slice(0, donor.intent.indexOf("/"));
  if (donor.isEmergency === true) {
    const pod = facts.pods.find((one) => one.key === donor.key);
    return kind === "evacuate" && pod !== undefined && isInLastPart(facts, pod) ? "lastPart" : "evacuation";
  }
  // Of a pod that has begun to leave, the rest follows: a window that closes in between must not leave it hanging for days.
  if (kind === "evacuate" || kind === "scaleDown" || kind === "recycle") return "evacuation";
  return kind === "rollback" ? "wayBack" : "voluntary";
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
        : intentOf(pod, set, taker, sets);
    if (intent === undefined) return [];
    // Stable is the way back: it is emptied last.
    const turn = set?.role === "stable" ? 1 : 0;
    // Who is on pods that fail is not asked to wait for the ordinary pace.
    const isFleeing = set?.step === "back" && intent.startsWith("rollback/") && isFailing(facts, set);
    return [
      {
        key: pod.key,
        intent,
        connections: state.connections,
        moving: state.moving,
        turn,
        ...(isUrgent || isFleeing ? { isEmergency: true } : {}),
      },
    ];
  });
}

/** Some of its pods keep dying, or are not ready any more: its clients are in danger. Pods that only begin are not. */
function isFailing(facts: ClusterFacts, set: PlannedSet): boolean {
  return attachedPods(facts.pods, set).some(
    (pod) => pod.trouble !== undefined || (!pod.ready && (connectionsOf(pod) ?? 0) > 0),
  );
}

/** Still attached and taking new connections because there is nobody else: it is not left. */
function isLastResort(facts: ClusterFacts, pod: ServerPodFacts, taker: PlannedSet | undefined): boolean {
  return pod.set === "attached" && !pod.deleting && pod.revision === taker?.revision && isCordoned(facts, pod);
}

function intentOf(
  pod: Pick<ServerPodFacts, "key" | "set" | "leavesFor">,
  set: PlannedSet | undefined,
  taker: PlannedSet | undefined,
  sets: readonly PlannedSet[],
): IntentId | undefined {
  if (taker === undefined) return undefined;
  if (pod.set === "draining") return `${pod.leavesFor}/${pod.key}`;
  if (set === undefined || set === taker) return undefined;
  if (set.step === "back") return intentFor("rollback", set);
  if (taker.role === "candidate") return taker.step === "move" ? intentFor("rollout", taker) : undefined;
  // Nobody moves onto a set that is to be left itself, nor twice: who was overtaken waits for his successor.
  if (set.role === "superseded" && sets.some((other) => other.role === "candidate")) return undefined;
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

/** What is still to move, of which it is known. */
export function leftOf(movement: Pick<Movement, "donors" | "trial">): number {
  return connectionsLeft(movement.donors) + (movement.trial?.left ?? 0);
}

/** Connections on pods that somebody means to empty; undefined parts are not counted. */
export function connectionsLeft(donors: readonly Donor[]): number {
  return donors.reduce((sum, donor) => sum + donor.connections, 0);
}
