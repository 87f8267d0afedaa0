// From what the user wrote to the steps that are taken: his own, and the slices where only a part of the fleet may exist twice.
// How many pods each step needs, and which old ones it empties. Pure.
import type { WebSocketClusterSpec } from "@wscluster/crds";
import type { ClusterFacts, ServerPodFacts } from "../../facts.ts";
import { attachedPods, type PlannedSet } from "../sets.ts";

export type RolloutStep = {
  /** Part of the unnamed arrivals that is led to the candidate. */
  readonly sharePercent: number;
  /** Part of the old connections that has left at the end of the step. */
  readonly movePercent: number;
  readonly pauseSeconds: number;
};

type Spec = Pick<WebSocketClusterSpec, "rollout" | "replicas">;

const surgeOf = (spec: Spec): number => spec.rollout?.surgePercent ?? 100;
const partOf = (count: number, percent: number): number => Math.ceil((count * percent) / 100);

/** End of the slice in which so much has moved. */
function sliceEnd(movePercent: number, surge: number): number {
  return Math.min(100, surge * Math.max(1, Math.ceil(movePercent / surge)));
}

export function stepsOf(spec: Spec): RolloutStep[] {
  const surge = surgeOf(spec);
  const own = (spec.rollout?.steps ?? []).map(
    ({ newConnectionsPercent, movePercent, pauseSeconds = 0 }): RolloutStep => ({
      sharePercent: newConnectionsPercent,
      movePercent,
      pauseSeconds,
    }),
  );
  if (surge >= 100) return own;
  const slices: RolloutStep[] = [];
  for (let end = surge; end < 100; end += surge) {
    if (!own.some((step) => step.movePercent === end)) {
      slices.push({ sharePercent: end, movePercent: end, pauseSeconds: 0 });
    }
  }
  let share = 0;
  return [...own, ...slices]
    .toSorted((a, b) => a.movePercent - b.movePercent)
    .map((step) => {
      // A quarter of the pods bears a quarter of the arrivals.
      share = Math.max(share, Math.min(step.sharePercent, sliceEnd(step.movePercent, surge)));
      return { ...step, sharePercent: share };
    });
}

/** Part of the arrivals that the candidate gets now; undefined while it is none of those who take new ones. */
export function shareOf(spec: Spec, { step, trial }: Pick<PlannedSet, "step" | "trial">): number | undefined {
  if (trial === undefined || (step !== "trial" && step !== "grow")) return undefined;
  const steps = stepsOf(spec);
  const index = step === "trial" && trial.phase === "grow" ? trial.index - 1 : trial.index;
  return index < 0 ? undefined : steps[Math.min(index, steps.length - 1)]?.sharePercent;
}

/** Pods that a candidate is to have where it stands; undefined = all, and it keeps what it has. */
export function candidateSize(
  spec: Spec,
  candidate: Pick<PlannedSet, "step" | "trial">,
  oldPods: number,
): number | undefined {
  const surge = surgeOf(spec);
  const full = Math.max(spec.replicas, candidate.trial?.wantedPods ?? 0);
  const first = surge >= 100 ? full : partOf(full, surge);
  const { step, trial } = candidate;
  if (step === "provision" || step === "verify" || step === "approve") {
    return Math.min(spec.rollout?.previewReplicas ?? first, first);
  }
  if (surge >= 100 || (step !== "trial" && step !== "grow")) return undefined;
  const steps = stepsOf(spec);
  const move = step === "trial" && trial !== undefined ? steps[trial.index]?.movePercent : undefined;
  const wanted = move === undefined ? full : partOf(full, sliceEnd(move, surge));
  // No more than the surge allows beside the old pods that are still there, but always one slice: three sets may exist.
  return Math.min(wanted, Math.max(first, full + first - oldPods));
}

export type Leaving = {
  /** Old pods that are emptied now, those that are sealed included. */
  readonly leaving: readonly ServerPodFacts[];
  /** Of them: judged and given up; they go as soon as they are empty. */
  readonly sealed: readonly ServerPodFacts[];
};

const NOBODY: Leaving = { leaving: [], sealed: [] };

/** Sets that a candidate takes over from: those that it overtakes before the way back. */
export function oldSets(sets: readonly PlannedSet[]): PlannedSet[] {
  const of = (role: PlannedSet["role"]) => sets.filter((set) => set.role === role && set.live !== undefined);
  return [...of("superseded"), ...of("stable")];
}

/** Where a fleet is rolled in slices, old pods go one by one, and by name: which of them now. */
export function leavingPods(facts: Pick<ClusterFacts, "spec" | "pods">, sets: readonly PlannedSet[]): Leaving {
  const candidate = sets.find((set) => set.role === "candidate");
  const trial = candidate?.trial;
  if (candidate === undefined || trial === undefined || !isSliced(facts.spec, candidate)) return NOBODY;
  const steps = stepsOf(facts.spec);
  const goneAfter = (index: number): number => {
    const step = steps[Math.min(index, steps.length - 1)];
    return index < 0 || step === undefined ? 0 : Math.floor((trial.oldPods * step.movePercent) / 100);
  };
  const isJudged = candidate.step === "grow";
  const isEmptied = !isJudged && (trial.phase === "move" || trial.phase === "pause");
  const done = goneAfter(isJudged ? trial.index : trial.index - 1);
  const goal = isEmptied ? goneAfter(trial.index) : done;
  const old = oldSets(sets);
  const pods = old.flatMap((set, rank) => attachedPods(facts.pods, set).map((pod) => ({ pod, rank })));
  // Their controller may not have deleted yet what it was told to, or not made yet what it is to make.
  const present = Math.max(
    pods.length,
    old.reduce((sum, set) => sum + (set.live?.replicas ?? 0), 0),
  );
  const gone = Math.max(0, trial.oldPods - present);
  const ordered = pods
    .toSorted(
      (a, b) =>
        a.rank - b.rank ||
        // Who was chosen stays chosen: the choice is on his label.
        Number(a.pod.traffic !== "none") - Number(b.pod.traffic !== "none") ||
        (a.pod.key < b.pod.key ? -1 : 1),
    )
    .map(({ pod }) => pod);
  const leaving = ordered.slice(0, Math.max(0, goal - gone));
  return { leaving, sealed: leaving.slice(0, Math.max(0, done - gone)) };
}

/** Whether old pods go one after another while new ones come. */
export function isSliced(spec: Spec, candidate: PlannedSet | undefined): boolean {
  if (candidate?.trial === undefined || surgeOf(spec) >= 100) return false;
  return candidate.step === "trial" || candidate.step === "grow";
}
