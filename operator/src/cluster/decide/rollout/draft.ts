// The rollout's working copy of the sets in one pass, and what it says on the way.
import { type ClusterFacts, type ServerPodFacts, type SetMarks } from "../../facts.ts";
import type { EventValue } from "../../plan.ts";
import type { ConditionReason } from "../../reasons.ts";
import type { Dependencies } from "../dependencies.ts";
import type { PlannedSet } from "../sets.ts";

const DEFAULT_PROGRESS_SECONDS = 600;

export type Waiting = {
  readonly reason: ConditionReason;
  readonly message: string;
  readonly sinceMs: number;
  readonly deadlineMs?: number;
  readonly then?: string;
  readonly unblock?: string;
};

/** Who holds a rollout where it is. */
export type PausedBy = "user" | "failure";

export class Draft {
  sets: PlannedSet[];
  readonly events: EventValue[] = [];
  waiting: Waiting | undefined;
  requeueAfterMs: number | undefined;
  /** Nothing moves for the candidate. */
  paused: PausedBy | undefined;
  readonly facts: ClusterFacts;
  readonly dependencies: Dependencies;
  /** The store is away: no step is taken and no time is counted. */
  readonly isFrozen: boolean;

  constructor(facts: ClusterFacts, dependencies: Dependencies) {
    this.facts = facts;
    this.sets = facts.sets.map((set) => ({ ...set, live: set }));
    this.dependencies = dependencies;
    this.isFrozen = dependencies.state === "down";
  }

  get progressDeadlineMs(): number {
    return (this.facts.spec.rollout?.progressDeadlineSeconds ?? DEFAULT_PROGRESS_SECONDS) * 1000;
  }

  of(role: SetMarks["role"]): PlannedSet | undefined {
    return this.sets.find((set) => set.role === role);
  }

  mark(set: PlannedSet, marks: Partial<SetMarks>): PlannedSet {
    const changed = { ...set, ...marks };
    this.sets = this.sets.map((other) => (other.revision === set.revision ? changed : other));
    return changed;
  }

  tell(reason: EventValue["reason"], message: string): void {
    this.events.push({ reason, message });
  }

  requeue(afterMs: number): void {
    this.requeueAfterMs = Math.min(this.requeueAfterMs ?? Infinity, Math.max(100, afterMs));
  }
}

/** What the time without progress is measured against. */
export function progressKey({ attempt, step, trial }: Pick<PlannedSet, "attempt" | "step" | "trial">): string {
  return step === "trial" && trial !== undefined
    ? `${attempt} ${step} ${trial.index} ${trial.phase}`
    : `${attempt} ${step}`;
}

/** Pods that a candidate takes over from: those of all other sets that are not on their way out by somebody else's hand. */
export function donorsOf(pods: readonly ServerPodFacts[], taker: { readonly revision: string }): ServerPodFacts[] {
  return pods.filter((pod) => pod.revision !== taker.revision && !pod.deleting);
}
