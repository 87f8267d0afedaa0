// The rollout: which marks the sets are to carry after this pass. Derived anew each time from the marks on the ReplicaSets
// and what is observed; the only memory is what was written before. Pure. Not here: what marks mean for pods (pass.ts).
//
//   candidate: provision -> verify -> switch -> settle -> move -> (stable: serve)
//   a newer revision: candidate -> superseded (keeps its step)     abort: candidate -> superseded: back, or retired: seal
//   old stable: retired: retain -> seal -> history                 superseded, empty: retired: seal -> history
import {
  type ClusterFacts,
  connectionsOf,
  freshValue,
  knownConnections,
  type ServerPodFacts,
  type SetMarks,
} from "../facts.ts";
import type { EventValue } from "../plan.ts";
import type { ConditionReason } from "../reasons.ts";
import { RENDERER_VERSION, serverTemplateFor } from "./children/server-template.ts";
import type { Dependencies } from "./dependencies.ts";
import { receiptsOf } from "./decision.ts";
import { edgeBehind, edgeMissing, isHandedOver } from "./edges.ts";
import { type Hold, holdOf, waitFor, windowHold } from "./holds.ts";
import { attachedPods, isSwitched, nameOf, nextAttempt, otherColor, type PlannedSet, takerOf } from "./sets.ts";

/** Two observations at least this far apart without a rise mean: nobody arrives any more. */
export const SETTLE_MS = 2_000;
export const DEFAULT_RETAIN_SECONDS = 300;
const DEFAULT_PROGRESS_SECONDS = 600;
/** So few may refuse for ever without a fault of the candidate: a phone that sleeps, a proxy that allows one connection only. */
const STRAGGLER_PERCENT = 5;
const FEW = 2;

export type Waiting = {
  readonly reason: ConditionReason;
  readonly message: string;
  readonly sinceMs: number;
  readonly deadlineMs?: number;
  readonly then?: string;
  readonly unblock?: string;
};

export type Rollout = {
  readonly sets: readonly PlannedSet[];
  readonly events: readonly EventValue[];
  readonly waiting: Waiting | undefined;
  readonly requeueAfterMs: number | undefined;
};

export function advanceRollout(facts: ClusterFacts, dependencies: Dependencies): Rollout {
  const draft = new Draft(facts, dependencies);
  draft.followSpec();
  draft.advanceCandidate();
  draft.retireOthers();
  return { sets: draft.sets, events: draft.events, waiting: draft.waiting, requeueAfterMs: draft.requeueAfterMs };
}

class Draft {
  sets: PlannedSet[];
  readonly events: EventValue[] = [];
  waiting: Waiting | undefined;
  requeueAfterMs: number | undefined;
  readonly #facts: ClusterFacts;
  readonly #dependencies: Dependencies;
  /** The store is away: no step is taken and no time is counted. */
  readonly #isFrozen: boolean;

  constructor(facts: ClusterFacts, dependencies: Dependencies) {
    this.#facts = facts;
    this.sets = facts.sets.map((set) => ({ ...set, live: set }));
    this.#dependencies = dependencies;
    this.#isFrozen = dependencies.state === "down";
  }

  get #progressDeadlineMs(): number {
    return (this.#facts.spec.rollout?.progressDeadlineSeconds ?? DEFAULT_PROGRESS_SECONDS) * 1000;
  }

  #of(role: SetMarks["role"]): PlannedSet | undefined {
    return this.sets.find((set) => set.role === role);
  }

  #mark(set: PlannedSet, marks: Partial<SetMarks> & { replicas?: number }): PlannedSet {
    const changed = { ...set, ...marks };
    this.sets = this.sets.map((other) => (other.revision === set.revision ? changed : other));
    return changed;
  }

  /** Brings the wanted revision into play: as stable, candidate, or by giving the running candidate up. */
  followSpec(): void {
    const wanted = this.#facts.wanted.servers;
    for (const set of this.sets) {
      // "A revision is never poisoned": wanting something else in between clears the mark.
      if (set.aborted !== undefined && set.revision !== wanted) this.#mark(set, { aborted: undefined });
    }
    const stable = this.#of("stable");
    const candidate = this.#of("candidate");
    if (stable?.revision === wanted) {
      if (candidate !== undefined) {
        this.#abort(candidate, "RolledBack", `${nameOf(stable)} is wanted again`);
      }
      return;
    }
    if (candidate?.revision === wanted) return;
    const present = this.sets.find((set) => set.revision === wanted);
    if (present?.aborted !== undefined) return;
    // Nothing that people notice begins outside of the maintenance windows; what was never served has nobody who notices.
    const hold = candidate === undefined && stable !== undefined ? windowHold(this.#facts) : undefined;
    if (hold !== undefined) {
      this.waiting = { ...waitFor(hold), sinceMs: this.#facts.nowMs };
      return;
    }
    if (candidate !== undefined) this.#supersede(candidate);
    this.#begin(present);
  }

  #begin(present: PlannedSet | undefined): void {
    const { cluster, spec, nowMs, wanted } = this.#facts;
    const revision = wanted.servers;
    const stable = this.#of("stable");
    const taker = takerOf(this.sets);
    // The very first revision has nobody to take over from.
    const isFirst = stable === undefined && !this.sets.some((set) => set.role !== "retired");
    const newest = this.sets.toSorted((a, b) => b.startedAtMs - a.startedAtMs)[0];
    const marks: SetMarks = {
      role: isFirst ? "stable" : "candidate",
      step: isFirst ? "serve" : present !== undefined && present === taker ? "switch" : "provision",
      color: present?.color ?? (isFirst && newest === undefined ? "blue" : otherColor((stable ?? newest)?.color)),
      attempt: nextAttempt(present, revision),
      startedAtMs: nowMs,
      switchedAtMs: undefined,
      movedAtMs: undefined,
      aborted: undefined,
    };
    // A revision that comes back must not wear the colour of the one that it replaces.
    const color = stable !== undefined && marks.color === stable.color ? otherColor(stable.color) : marks.color;
    const begun: PlannedSet =
      present === undefined
        ? {
            ...marks,
            color,
            revision,
            name: `${cluster.name}-${revision}`,
            image: spec.server.image,
            rendererVersion: RENDERER_VERSION,
            template: serverTemplateFor(this.#facts, revision),
            createdAtMs: nowMs,
            replicas: spec.replicas,
            live: undefined,
          }
        : { ...present, ...marks, color, replicas: Math.max(present.replicas, spec.replicas) };
    this.sets = [...this.sets.filter((set) => set.revision !== revision), begun];
    if (isFirst) return;
    const from = stable === undefined ? "nothing" : nameOf(stable);
    this.events.push({
      reason: "RolloutStarted",
      message: `attempt ${begun.attempt}: ${nameOf(begun)} with image ${begun.image} is to take over from ${from}`,
    });
  }

  #supersede(candidate: PlannedSet): void {
    this.events.push({
      reason: "RolloutSuperseded",
      message: `attempt ${candidate.attempt}: a newer specification came at step ${candidate.step}`,
    });
    if (isSwitched(candidate)) this.#mark(candidate, { role: "superseded" });
    else this.#mark(candidate, { role: "retired", step: "seal" });
  }

  #abort(
    candidate: PlannedSet,
    reason: "RolloutAborted" | "RolledBack" | "ProgressDeadlineExceeded",
    why: string,
  ): void {
    const aborted = reason === "RolledBack" ? undefined : `${reason}:${why}`;
    // Everybody goes back to stable, also those of a set that was overtaken before.
    for (const set of this.sets) {
      if (set.role === "superseded" && isSwitched(set)) {
        this.#mark(set, { step: "back", movedAtMs: this.#facts.nowMs });
      }
    }
    const after = isSwitched(candidate)
      ? `its connections move back to stable`
      : `it had no traffic yet and is scaled to zero`;
    // In this step the time is that of its begin.
    const movedAtMs = this.#facts.nowMs;
    if (isSwitched(candidate)) this.#mark(candidate, { role: "superseded", step: "back", movedAtMs, aborted });
    else this.#mark(candidate, { role: "retired", step: "seal", aborted });
    this.events.push({ reason, message: `attempt ${candidate.attempt} at step ${candidate.step}: ${why}; ${after}` });
  }

  advanceCandidate(): void {
    const candidate = this.#of("candidate");
    if (candidate === undefined || candidate.live === undefined) return;
    const { spec, nowMs } = this.#facts;
    const stable = this.#of("stable");
    if (stable !== undefined && spec.rollout?.abortedAttempt === candidate.attempt) {
      this.#abort(candidate, "RolloutAborted", "`rollout.abortedAttempt` names it");
      return;
    }
    if (candidate.replicas === 0 && donorsOf(this.#facts.pods, candidate).every(isEmpty)) {
      // Nobody is wanted and nobody is there: there is nothing to lead or to move.
      this.#promote(candidate);
      return;
    }
    const waiting = this.#waitingOf(candidate);
    const hold = waiting === undefined && candidate.step === "verify" ? windowHold(this.#facts) : undefined;
    if (hold !== undefined) {
      this.waiting = { ...waitFor(hold), sinceMs: nowMs };
      return;
    }
    if (waiting === undefined) {
      this.#step(candidate);
      return;
    }
    const held = this.#heldReason(candidate);
    if (held !== undefined) {
      this.waiting = { ...waiting, ...waitFor(held) };
      return;
    }
    const sinceMs = this.#progressSince(candidate);
    const deadlineMs = sinceMs + this.#progressDeadlineMs;
    if (stable !== undefined && nowMs >= deadlineMs) {
      this.#abort(
        candidate,
        "ProgressDeadlineExceeded",
        `no progress for ${this.#progressDeadlineMs / 1000} s: ${waiting.message}`,
      );
      return;
    }
    this.waiting = {
      ...waiting,
      sinceMs,
      ...(stable === undefined ? {} : { deadlineMs, then: "the attempt is aborted and the stable set keeps serving" }),
    };
    if (stable !== undefined) this.#requeue(deadlineMs - nowMs);
  }

  /** What stops the candidate from getting on, of that which is nobody's fault: it stops the time, too. */
  #heldReason(candidate: PlannedSet): Hold | undefined {
    if (candidate.step === "provision") return undefined;
    // Pods that cannot be asked are a fault with a deadline, a store that is known to be away is not.
    const dependencies = { state: this.#isFrozen ? "down" : "ok" } as const;
    if (candidate.step === "move") return holdOf(this.#facts, dependencies, "voluntary");
    return this.#isFrozen ? holdOf(this.#facts, dependencies, "evacuation") : undefined;
  }

  #progressSince(candidate: PlannedSet): number {
    const { pods, memory, nowMs } = this.#facts;
    if (candidate.step === "provision") {
      // Derivable, so that a restart of the operator does not give a broken image more time.
      const ready = attachedPods(pods, candidate).flatMap((pod) => (pod.ready ? [pod.readySinceMs ?? 0] : []));
      return Math.max(candidate.startedAtMs, ...ready);
    }
    return memory.progress?.of === progressKey(candidate) ? memory.progress.sinceMs : nowMs;
  }

  /** Why the candidate cannot go to its next step, or undefined when it can. */
  #waitingOf(candidate: PlannedSet): Omit<Waiting, "deadlineMs" | "then"> | undefined {
    const facts = this.#facts;
    const sinceMs = facts.nowMs;
    const pods = attachedPods(facts.pods, candidate);
    const ready = pods.filter((pod) => pod.ready).length;
    const allReady = ready === candidate.replicas && pods.length === candidate.replicas;
    switch (candidate.step) {
      case "provision": {
        if (allReady) return undefined;
        const broken = pods.find((pod) => pod.trouble !== undefined);
        const counted = `${ready} of ${candidate.replicas} pods of ${nameOf(candidate)} are ready`;
        if (broken?.trouble === undefined) return { reason: "Provisioning", message: counted, sinceMs };
        return {
          reason: "CandidateNotStarting",
          message: `${counted}; pod ${broken.name}: ${broken.trouble.reason}: ${broken.trouble.message}`,
          sinceMs,
          unblock: "correct the image or the settings in the specification",
        };
      }
      case "verify": {
        if (this.#isFrozen) {
          return {
            reason: "DependencyFreeze",
            message: "the store does not answer to a majority of the pods",
            sinceMs,
          };
        }
        if (!allReady) {
          return { reason: "Verifying", message: `${ready} of ${candidate.replicas} pods are ready`, sinceMs };
        }
        const silent = pods.find((pod) => freshValue(pod.state) === undefined);
        if (silent !== undefined) return unreachable(silent, sinceMs);
        const missing = edgeMissing(
          facts,
          pods.map((pod) => pod.key),
        );
        return missing === undefined ? undefined : behind(missing, sinceMs);
      }
      case "switch": {
        if (isHandedOver(facts, candidate)) return undefined;
        const lagging = edgeBehind(facts);
        return lagging === undefined
          ? { reason: "Switching", message: `new connections are being led to ${nameOf(candidate)}`, sinceMs }
          : behind(lagging, sinceMs);
      }
      case "settle":
        return this.#unsettled(candidate);
      case "move": {
        const left = donorsOf(facts.pods, candidate);
        const holding = left.filter((pod) => !isEmpty(pod));
        if (holding.length === 0) return undefined;
        const silent = holding.find((pod) => connectionsOf(pod) === undefined);
        if (silent !== undefined) return unreachable(silent, sinceMs);
        const count = knownConnections(holding);
        if (this.#areStragglers(candidate, count)) return undefined;
        return {
          reason: "MovingConnections",
          message: `${count} connections are left on ${holding.length} pods`,
          sinceMs,
        };
      }
      case "serve":
      case "back":
      case "retain":
      case "seal":
      case "history":
        return undefined;
      default:
        return assertNever(candidate.step);
    }
  }

  /**
   * What is left are a few that were asked again and again and do not move, with room for them: the rollout does not wait for
   * them, nor is it aborted for them. They stay on the old set until that goes.
   */
  #areStragglers(candidate: PlannedSet, left: number): boolean {
    const { pods, memory, nowMs } = this.#facts;
    if (this.#heldReason(candidate) !== undefined || memory.progress?.of !== progressKey(candidate)) return false;
    if (nowMs - memory.progress.sinceMs < this.#progressDeadlineMs / 2) return false;
    const total = knownConnections(pods);
    const capacity = attachedPods(pods, candidate).reduce(
      (sum, pod) => sum + (freshValue(pod.state)?.capacity ?? 0),
      0,
    );
    return isFew(left, total) && capacity >= total;
  }

  /** An aborted set is done when nobody is left, or after the progress deadline when a few are left that do not move. */
  #hasGivenBack(set: PlannedSet, mine: readonly ServerPodFacts[]): boolean {
    if (mine.every(isEmpty)) return true;
    const { pods, nowMs } = this.#facts;
    if (holdOf(this.#facts, this.#dependencies, "wayBack") !== undefined || set.movedAtMs === undefined) return false;
    if (nowMs - set.movedAtMs < this.#progressDeadlineMs || mine.some((pod) => connectionsOf(pod) === undefined))
      return false;
    return isFew(knownConnections(mine), knownConnections(pods));
  }

  #unsettled(candidate: PlannedSet): Omit<Waiting, "deadlineMs" | "then"> | undefined {
    const sinceMs = this.#facts.nowMs;
    const switchedAtMs = candidate.switchedAtMs ?? candidate.startedAtMs;
    for (const pod of donorsOf(this.#facts.pods, candidate)) {
      if (!pod.running) continue;
      const state = freshValue(pod.state);
      if (state === undefined || pod.arrivals === undefined) return unreachable(pod, sinceMs);
      const steadyMs = pod.arrivals.steadyToMs - Math.max(pod.arrivals.steadyFromMs, switchedAtMs);
      if (pod.traffic !== "none" || state.mode !== "none" || steadyMs < SETTLE_MS) {
        this.#requeue(1_000);
        return {
          reason: "ArrivalsNotStopped",
          message: `pod ${pod.name} is ${state.mode}; no unnamed arrival for ${Math.max(0, steadyMs)} of ${SETTLE_MS} ms`,
          sinceMs,
        };
      }
    }
    return undefined;
  }

  #step(candidate: PlannedSet): void {
    const { nowMs } = this.#facts;
    switch (candidate.step) {
      case "provision":
        this.#mark(candidate, { step: "verify" });
        break;
      case "verify":
        this.#mark(candidate, { step: "switch" });
        this.events.push({
          reason: "TrafficSwitching",
          message: `attempt ${candidate.attempt}: ${candidate.replicas} pods verified, new connections go to ${nameOf(candidate)}`,
        });
        break;
      case "switch":
        this.#mark(candidate, { step: "settle", switchedAtMs: nowMs });
        this.events.push({
          reason: "TrafficSwitched",
          message: `attempt ${candidate.attempt}: every live edge leads new connections to ${nameOf(candidate)} only`,
        });
        break;
      case "settle": {
        const left = knownConnections(donorsOf(this.#facts.pods, candidate));
        this.#mark(candidate, { step: "move" });
        this.events.push({
          reason: "MovingConnections",
          message: `attempt ${candidate.attempt}: arrivals have stopped; ${left} connections move to ${nameOf(candidate)}`,
        });
        break;
      }
      case "move":
        this.#promote(candidate);
        break;
      case "serve":
      case "back":
      case "retain":
      case "seal":
      case "history":
        break;
      default:
        assertNever(candidate.step);
    }
  }

  #promote(candidate: PlannedSet): void {
    const { nowMs } = this.#facts;
    const left = knownConnections(donorsOf(this.#facts.pods, candidate));
    const { moved, resumed, cut } = receiptsOf(this.#facts, candidate);
    // Old stable first: a crash in between leaves a candidate alone, which this same step completes.
    for (const set of this.sets) {
      if (set.role === "stable") this.#mark(set, { role: "retired", step: "retain", movedAtMs: nowMs });
      if (set.role === "superseded") this.#mark(set, { role: "retired", step: "seal", movedAtMs: nowMs });
    }
    this.#mark(candidate, { role: "stable", step: "serve", movedAtMs: nowMs });
    this.events.push({
      reason: "RolloutComplete",
      message:
        left === 0
          ? `attempt ${candidate.attempt}: all connections are on ${nameOf(candidate)}: ${moved} moved, ${resumed} resumed, ${cut} closed with a window`
          : `attempt ${candidate.attempt}: ${nameOf(candidate)} has taken over: ${moved} moved, ${resumed} resumed, ${cut} closed with a window; ${left} do not move and stay on the old pods until these are retired`,
    });
  }

  retireOthers(): void {
    const { pods, nowMs, spec } = this.#facts;
    for (const set of this.sets) {
      if (set.live === undefined) continue;
      const mine = pods.filter((pod) => pod.revision === set.revision && pod.set === "attached" && !pod.deleting);
      if (set.role === "superseded" && set.step === "back" && this.#hasGivenBack(set, mine)) {
        this.#mark(set, { role: "retired", step: "seal", movedAtMs: nowMs });
      } else if (set.role === "retired" && set.step === "retain") {
        const untilMs = (set.movedAtMs ?? nowMs) + (spec.rollout?.retainSeconds ?? DEFAULT_RETAIN_SECONDS) * 1000;
        if (nowMs < untilMs) this.#requeue(untilMs - nowMs);
        // Who is still there will not move by being waited for; who cannot be counted is left alone.
        else if (mine.every((pod) => connectionsOf(pod) !== undefined)) this.#mark(set, { step: "seal" });
      } else if (set.role === "retired" && set.step === "seal" && mine.length === 0 && set.replicas === 0) {
        this.#mark(set, { step: "history" });
        this.events.push({ reason: "SetRetired", message: `${nameOf(set)} is at zero` });
      }
    }
  }

  #requeue(afterMs: number): void {
    this.requeueAfterMs = Math.min(this.requeueAfterMs ?? Infinity, Math.max(100, afterMs));
  }
}

function isFew(left: number, total: number): boolean {
  return left <= Math.max(FEW, (total * STRAGGLER_PERCENT) / 100);
}

/** What the time without progress is measured against. */
export function progressKey(candidate: Pick<PlannedSet, "attempt" | "step">): string {
  return `${candidate.attempt} ${candidate.step}`;
}

/** Pods that a candidate takes over from: those of all other sets that are not on their way out by somebody else's hand. */
export function donorsOf(pods: readonly ServerPodFacts[], taker: { readonly revision: string }): ServerPodFacts[] {
  return pods.filter((pod) => pod.revision !== taker.revision && !pod.deleting);
}

/** Known to hold nobody: nobody here, nobody being asked. */
export function isEmpty(pod: ServerPodFacts): boolean {
  if (!pod.running) return true;
  const state = freshValue(pod.state);
  return state !== undefined && state.connections === 0 && state.moving === 0;
}

function unreachable(pod: ServerPodFacts, sinceMs: number): Omit<Waiting, "deadlineMs" | "then"> {
  const why = pod.state.kind === "unknown" ? pod.state.why : "its last answer is too old";
  return {
    reason: "PodsUnreachable",
    message: `the state of pod ${pod.name} is not known: ${why}`,
    sinceMs,
    unblock: "a network policy that lets the operator reach the admin port, or the deletion of the pod",
  };
}

function behind(edge: { edge: string; why: string }, sinceMs: number): Omit<Waiting, "deadlineMs" | "then"> {
  return { reason: "EdgeNotAcknowledged", message: `edge pod ${edge.edge}: ${edge.why}`, sinceMs };
}

function assertNever(value: never): never {
  throw new Error(`cannot decide step ${String(value)}: it is not known to this version`);
}
