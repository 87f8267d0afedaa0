// How many pods each set is to have, and which pod is detached when fewer are wanted. Pure.
// A decrease never lets the ReplicaSet choose: pods leave one by one, by name, and only when they are empty.
import { type ClusterFacts, connectionsOf, freshValue, knownConnections, type ServerPodFacts } from "../facts.ts";
import type { EventValue } from "../plan.ts";
import type { Dependencies } from "./dependencies.ts";
import { knowsThatItLeaves } from "./draining.ts";
import { cordonSurge, doomedPods, doomOf, isCordoned } from "./evacuation.ts";
import { holdOf } from "./holds.ts";
import { oldestPod, recycleEvent, recycleSurge } from "./recycle.ts";
import { candidateSize, isSliced, leavingPods, oldSets } from "./rollout/plan-of-steps.ts";
import { DEFAULT_RETAIN_SECONDS } from "./rollout/retire.ts";
import { attachedPods, isSwitched, nameOf, type PlannedSet } from "./sets.ts";
import { lowestReplicas } from "./victims.ts";

/** Part of the remaining capacity that may be filled by a decrease. */
const FILL_LIMIT = 0.9;

export type Scale = {
  readonly replicas: ReadonlyMap<string, number>;
  /** Pods that leave their sets in this pass: one by choice, or all of a node that is being removed. */
  readonly detach: readonly ServerPodFacts[];
  /** Pods that leave next and are told so now: a pod is detached when it has confirmed its deadline. */
  readonly tell: readonly ServerPodFacts[];
  /** Of those that are detached: one that leaves because it is old. */
  readonly recycled: ServerPodFacts | undefined;
  readonly held: string | undefined;
  /** A pod is to leave, and who is not known yet. */
  readonly isWaiting: boolean;
  readonly events: readonly EventValue[];
};

export function planScale(
  facts: ClusterFacts,
  sets: readonly PlannedSet[],
  taker: PlannedSet | undefined,
  dependencies: Dependencies,
): Scale {
  const replicas = new Map<string, number>();
  const isAtRest = !sets.some((set) => set.role === "candidate" || set.role === "superseded");
  const detach: ServerPodFacts[] = [];
  const tell: ServerPodFacts[] = [];
  /** Detaches a pod that knows what comes, and tells the others. */
  const isDetached = (pod: ServerPodFacts): boolean => {
    const isTold = knowsThatItLeaves(facts, pod);
    (isTold ? detach : tell).push(pod);
    return isTold;
  };
  const isNobodyChosen = (): boolean => detach.length === 0 && tell.length === 0;
  let held: string | undefined;
  let isWaiting = false;
  const events: EventValue[] = [];
  let recycled: ServerPodFacts | undefined;
  const mayEvacuate = holdOf(facts, dependencies, "evacuation") === undefined;
  for (const set of sets) {
    const isResting = set === taker && isAtRest && set.live !== undefined;
    const cordoned = isResting && mayEvacuate ? cordonSurge(facts, set) : 0;
    const surge = cordoned > 0 || !isResting ? cordoned : recycleSurge(facts, set, dependencies);
    const wanted = wantedReplicas(facts, set, sets, isAtRest) + surge;
    const attached = attachedPods(facts.pods, set);
    const mayGo = set.live === undefined ? wanted : lowestReplicas(set.live, attached);
    replicas.set(set.revision, Math.max(wanted, Math.min(set.replicas, mayGo)));
    const straggling = isNobodyChosen() ? stragglingPod(facts, sets, set, attached, dependencies) : undefined;
    if (
      straggling !== undefined &&
      set.live !== undefined &&
      replicas.get(set.revision) === set.live.replicas &&
      isDetached(straggling)
    ) {
      replicas.set(set.revision, set.live.replicas - 1);
      events.push({
        reason: "ScalingDown",
        message: `pod ${straggling.name} of ${set.role === "retired" ? "the retired " : ""}${nameOf(set)} still holds ${connectionsOf(straggling) ?? 0} connections that do not move; its time is limited now`,
      });
    }
    if (set !== taker || set.live === undefined) continue;
    const doomed = mayEvacuate && set.live.countedPods === attached.length ? doomedPods(facts, set) : [];
    if (doomed.length > 0 && isNobodyChosen()) {
      const leavers = doomed.filter((pod) => isDetached(pod));
      // They leave, and as many are made anew: whether fewer could bear the load is asked when nobody is in a hurry.
      replicas.set(set.revision, Math.max(replicas.get(set.revision) ?? 0, set.live.replicas));
      events.push(...leavers.map((pod) => evacuationEvent(facts, pod)));
      continue;
    }
    if (!isAtRest) continue;
    if (surge > 0 && set.live.replicas <= wanted) {
      if (!isNobodyChosen() || !hasSurged(set.live, attached, wanted)) continue;
      const old = cordoned > 0 ? undefined : oldestPod(facts, attached);
      const leaver = old ?? cordonedLeaver(facts, attached);
      if (leaver === undefined || !isDetached(leaver)) continue;
      recycled = old;
      replicas.set(set.revision, set.live.replicas - 1);
      events.push(recycled === undefined ? evacuationEvent(facts, leaver) : recycleEvent(facts, leaver));
      continue;
    }
    if ((replicas.get(set.revision) ?? 0) <= wanted || set.live.countedPods !== attached.length) continue;
    if (replicas.get(set.revision) !== set.live.replicas) continue;
    const choice = chooseLeaver(facts, attached, wanted, dependencies);
    if (choice.kind === "held") {
      held = choice.why;
    } else if (choice.kind === "soon") {
      isWaiting = true;
    } else if (isDetached(choice.pod)) {
      replicas.set(set.revision, set.live.replicas - 1);
      events.push({
        reason: "ScalingDown",
        message: `pod ${choice.pod.name} leaves ${nameOf(set)} (${set.live.replicas} to ${wanted} wanted); ${choice.connections} connections move away first`,
      });
    }
  }
  return { replicas, detach, tell, recycled, held, isWaiting: isWaiting || tell.length > 0, events };
}

/** The surge is there and every pod is ready: one pod may go, its replacement serves. */
function hasSurged(
  live: { readonly replicas: number; readonly countedPods: number | undefined },
  attached: readonly ServerPodFacts[],
  wanted: number,
): boolean {
  if (live.replicas !== wanted || live.countedPods !== attached.length || attached.length !== wanted) return false;
  return attached.every((pod) => pod.ready && freshValue(pod.state) !== undefined);
}

function cordonedLeaver(facts: ClusterFacts, attached: readonly ServerPodFacts[]): ServerPodFacts | undefined {
  return attached
    .filter((pod) => isCordoned(facts, pod))
    .toSorted(
      (a, b) =>
        Number(knowsThatItLeaves(facts, b)) - Number(knowsThatItLeaves(facts, a)) ||
        (connectionsOf(a) ?? 0) - (connectionsOf(b) ?? 0) ||
        (a.key < b.key ? -1 : 1),
    )[0];
}

function evacuationEvent(facts: ClusterFacts, pod: ServerPodFacts): EventValue {
  const why = doomOf(facts, pod) ?? `node ${pod.node ?? "-"} is cordoned`;
  const count = connectionsOf(pod);
  return {
    reason: "Evacuating",
    message: `pod ${pod.name} leaves its set (${why}); ${count ?? "an unknown number of"} connections move away first`,
  };
}

/** After a set's time as the way back is over, its last clients are asked for this long before their pod gets a deadline. */
const STRAGGLER_MS = 30_000;

/** A pod of a set that is done, or of a slice that is, which holds clients that do not move. */
function stragglingPod(
  facts: ClusterFacts,
  sets: readonly PlannedSet[],
  set: PlannedSet,
  attached: readonly ServerPodFacts[],
  dependencies: Dependencies,
): ServerPodFacts | undefined {
  if (set.live?.countedPods !== attached.length || holdOf(facts, dependencies, "voluntary") !== undefined)
    return undefined;
  if (set.role !== "retired") return holding(leavingPods(facts, sets).sealed.filter((pod) => attached.includes(pod)));
  if (set.step !== "seal" || set.live.step !== "seal") return undefined;
  const retainMs = (facts.spec.rollout?.retainSeconds ?? DEFAULT_RETAIN_SECONDS) * 1000;
  if (facts.nowMs < (set.movedAtMs ?? facts.nowMs) + retainMs + STRAGGLER_MS) return undefined;
  return holding(attached);
}

function holding(pods: readonly ServerPodFacts[]): ServerPodFacts | undefined {
  return pods.filter((pod) => (connectionsOf(pod) ?? 0) > 0).toSorted((a, b) => (a.key < b.key ? -1 : 1))[0];
}

/** What the set is to come to; the law says how fast. */
function wantedReplicas(facts: ClusterFacts, set: PlannedSet, sets: readonly PlannedSet[], isAtRest: boolean): number {
  const { spec } = facts;
  if (set.live === undefined) return set.replicas;
  const slice = slicedReplicas(facts, set, sets);
  if (slice !== undefined) return slice;
  if (set.role === "retired" && set.step !== "retain") return 0;
  if (set.role === "stable" && isAtRest) return spec.replicas;
  // During a rollout increases go to those who may take new connections; decreases wait until it is over.
  if (set.role === "candidate" || set.role === "stable") {
    const isOvertaken = sets.some((other) => other.role === "candidate" && isSwitched(other));
    const hasSuccessor = set.role === "stable" && (isOvertaken || set.live.traffic === "none");
    return hasSuccessor ? set.live.replicas : Math.max(set.live.replicas, spec.replicas);
  }
  return set.live.replicas;
}

/** Before its approval, and in slices, a candidate has a part of its pods; and the old sets give up what was emptied. */
function slicedReplicas(facts: ClusterFacts, set: PlannedSet, sets: readonly PlannedSet[]): number | undefined {
  const { spec } = facts;
  const present = set.live?.replicas ?? set.replicas;
  const old = oldSets(sets);
  if (set.role === "candidate") {
    const oldPods = old.reduce((sum, one) => sum + attachedPods(facts.pods, one).length, 0);
    const size = candidateSize(spec, set, oldPods);
    return size === undefined ? undefined : Math.max(present, size);
  }
  const candidate = sets.find((one) => one.role === "candidate");
  if (!isSliced(spec, candidate) || !old.includes(set)) return undefined;
  const { sealed } = leavingPods(facts, sets);
  return present - sealed.filter((pod) => pod.revision === set.revision).length;
}

type Choice =
  | { readonly kind: "leaver"; readonly pod: ServerPodFacts; readonly connections: number }
  | { readonly kind: "held"; readonly why: string }
  /** Pods that have just started tell their state in a moment: nothing is held, and nobody is told so. */
  | { readonly kind: "soon" };

/** A pod that is ready for longer should have told its state. */
const FIRST_ANSWER_MS = 15_000;

function chooseLeaver(
  facts: ClusterFacts,
  attached: readonly ServerPodFacts[],
  wanted: number,
  dependencies: Dependencies,
): Choice {
  const hold = holdOf(facts, dependencies, "voluntary");
  if (hold !== undefined) return { kind: "held", why: hold.message };
  const known = attached.flatMap((pod) => {
    const state = freshValue(pod.state);
    if (state === undefined) return [];
    // A pod reads a lower limit up to a minute after it was written (the kubelet's sync of ConfigMaps).
    const capacity = Math.min(state.capacity, facts.spec.config?.connections?.maxPerPod ?? Infinity);
    return [{ pod, connections: state.connections, capacity }];
  });
  if (known.length < attached.length) {
    const silent = attached.filter((pod) => freshValue(pod.state) === undefined);
    const isYoung = silent.every((pod) => facts.nowMs - (pod.readySinceMs ?? facts.nowMs) < FIRST_ANSWER_MS);
    if (isYoung) return { kind: "soon" };
    return { kind: "held", why: `the state of ${attached.length - known.length} pods is not known` };
  }
  const ordered = known.toSorted(
    // Where somebody has to go anyway, it is he who goes.
    (a, b) =>
      Number(isCordoned(facts, b.pod)) - Number(isCordoned(facts, a.pod)) ||
      // And who was told already: a change of mind with every arrival would get nowhere.
      Number(knowsThatItLeaves(facts, b.pod)) - Number(knowsThatItLeaves(facts, a.pod)) ||
      a.connections - b.connections ||
      (a.pod.key < b.pod.key ? -1 : 1),
  );
  const draining = facts.pods.filter((pod) => pod.set === "draining" && !pod.deleting);
  const total = known.reduce((sum, { connections }) => sum + connections, 0) + knownConnections(draining);
  const staying = ordered.slice(attached.length - wanted);
  const capacity = staying.reduce((sum, pod) => sum + pod.capacity, 0) * FILL_LIMIT;
  if (total > capacity) {
    return {
      kind: "held",
      why: `${total} connections need more than ${wanted} pods (room for ${Math.floor(capacity)})`,
    };
  }
  const first = ordered[0];
  if (first === undefined) return { kind: "held", why: "there is no pod" };
  return { kind: "leaver", pod: first.pod, connections: first.connections };
}
