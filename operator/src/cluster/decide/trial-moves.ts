// What a step of a trial moves: a random sample of all old connections, or old pods as a whole where the fleet is rolled in
// slices; superseded sets first, the way back last; onto the candidate only. Pure.
import { type ClusterFacts, freshValue, isEmpty } from "../facts.ts";
import type { Donor, Target } from "../../moves/planner.ts";
import type { Dependencies } from "./dependencies.ts";
import { intentFor } from "./decision.ts";
import { donorsOf } from "./rollout/draft.ts";
import { askable, goalOf } from "./rollout/goal.ts";
import type { PlannedSet } from "./sets.ts";
import { targetsOf } from "./targets.ts";

export type TrialMoves = {
  readonly donors: readonly Donor[];
  readonly targets: readonly Target[];
  /** Most that may be asked now. */
  readonly limit: number;
  /** What the step has still to move. */
  readonly left: number;
};

/** @param busy KEYs of pods that give their connections away for another reason already */
export function trialMoves(
  facts: ClusterFacts,
  sets: readonly PlannedSet[],
  dependencies: Dependencies,
  busy: ReadonlySet<string>,
): TrialMoves | undefined {
  const candidate = sets.find((set) => set.role === "candidate");
  if (candidate?.step !== "trial" || candidate.trial?.phase !== "move") return undefined;
  const goal = goalOf(facts, sets, candidate);
  const whole = goal.onLeaving.filter((pod) => pod.running);
  const pods = whole.length > 0 ? whole : donorsOf(facts.pods, candidate).filter((pod) => pod.set === "attached");
  const donors = pods.flatMap((pod): Donor[] => {
    const state = freshValue(pod.state);
    if (state === undefined || isEmpty(pod) || busy.has(pod.key)) return [];
    const turn = sets.find((set) => set.revision === pod.revision)?.role === "stable" ? 1 : 0;
    const { connections, moving } = state;
    const donor: Donor = { key: pod.key, intent: intentFor("rollout", candidate), connections, moving, turn };
    return [whole.length > 0 ? donor : { ...donor, order: "sample" }];
  });
  const limit = whole.length > 0 ? Number.POSITIVE_INFINITY : askable(facts, candidate, goal);
  return { donors, targets: targetsOf(facts, candidate, dependencies), limit, left: goal.left };
}
