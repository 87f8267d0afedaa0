// The rollout: which marks the sets are to carry after this pass. Derived anew each time from the marks on the ReplicaSets
// and what is observed; the only memory is what was written before. Pure. Not here: what marks mean for pods (index.ts).
//
//   candidate: provision -> verify -> [approve] -> [trial: step by step -> grow] -> switch -> settle -> move -> (stable: serve)
//   a step of the trial: grow -> share -> move -> pause -> judged
//   a newer revision: candidate -> superseded (keeps its step)     abort: candidate -> superseded: back, or retired: seal
//   old stable: retired: retain -> seal -> history                 superseded, empty: retired: seal -> history
// The table {event x step -> action} is in rollout/table.ts.
import type { ClusterFacts } from "../facts.ts";
import type { EventValue } from "../plan.ts";
import type { Dependencies } from "./dependencies.ts";
import { advanceCandidate } from "./rollout/candidate.ts";
import { Draft, type PausedBy, type Waiting } from "./rollout/draft.ts";
import { followSpec } from "./rollout/follow-spec.ts";
import { retireOthers } from "./rollout/retire.ts";
import type { PlannedSet } from "./sets.ts";

export type Rollout = {
  readonly sets: readonly PlannedSet[];
  readonly events: readonly EventValue[];
  readonly waiting: Waiting | undefined;
  readonly requeueAfterMs: number | undefined;
  /** Nothing moves for the candidate: who says so. */
  readonly paused: PausedBy | undefined;
};

export function advanceRollout(facts: ClusterFacts, dependencies: Dependencies): Rollout {
  const draft = new Draft(facts, dependencies);
  followSpec(draft);
  advanceCandidate(draft);
  retireOthers(draft);
  const { sets, events, waiting, requeueAfterMs, paused } = draft;
  return { sets, events, waiting, requeueAfterMs, paused };
}
