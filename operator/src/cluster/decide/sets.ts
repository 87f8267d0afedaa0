// Roles and steps of the sets: which one takes new connections, and what each role means for its pods. Pure.
import type { PodMode } from "@wscluster/protocol";
import type { ServerPodFacts, SetFacts, SetMarks, SetStep } from "../facts.ts";

/** A set as it is to be after this pass: a live one with new marks, or one that is to be created. */
export type PlannedSet = Omit<SetFacts, "uid" | "resourceVersion" | "countedPods" | "traffic"> & {
  readonly live: SetFacts | undefined;
};

const SWITCHED: ReadonlySet<SetStep> = new Set(["switch", "settle", "move"]);

/** New connections have been led to it, or are being led. */
export function isSwitched(set: Pick<SetMarks, "step">): boolean {
  return SWITCHED.has(set.step);
}

/** It holds clients, or may: it has had a part of the new connections at least. */
export function hasTraffic(set: Pick<SetMarks, "step" | "trial">): boolean {
  return isSwitched(set) || set.trial !== undefined;
}

/** It takes a part of the new connections, or connections by name: a trial begins with its first share. */
export function isOnTrial({ role, step, trial }: Pick<SetMarks, "role" | "step" | "trial">): boolean {
  if (role !== "candidate" || trial === undefined) return false;
  return step === "grow" || (step === "trial" && (trial.phase !== "grow" || trial.index > 0));
}

/**
 * The one set that takes new connections. A superseded set that had the traffic keeps it until its successor is verified:
 * going back to stable in between would move everybody twice.
 */
export function takerOf<T extends SetMarks>(sets: readonly T[]): T | undefined {
  const candidate = sets.find((set) => set.role === "candidate" && isSwitched(set));
  if (candidate !== undefined) return candidate;
  const superseded = sets
    .filter((set) => set.role === "superseded" && isSwitched(set))
    .toSorted((a, b) => (b.switchedAtMs ?? b.startedAtMs) - (a.switchedAtMs ?? a.startedAtMs));
  return superseded[0] ?? sets.find((set) => set.role === "stable");
}

/**
 * Traffic that a set's pods are to have. Until the hand-over is acknowledged every other set keeps what it has: between
 * two takers there is never a moment when nobody takes.
 */
export function trafficOf(set: PlannedSet, taker: PlannedSet | undefined, handedOver: boolean): PodMode {
  if (set === taker || isOnTrial(set)) return "active";
  if (set.live !== undefined && !handedOver) return set.live.traffic;
  return set.role === "candidate" ? "preview" : "none";
}

export function isSealed(set: Pick<SetMarks, "role" | "step">): boolean {
  return set.role === "retired" && set.step === "seal";
}

/** Pods that the ReplicaSet counts. */
export function attachedPods(pods: readonly ServerPodFacts[], set: { readonly revision: string }): ServerPodFacts[] {
  return pods.filter(
    (pod) =>
      pod.revision === set.revision &&
      pod.set === "attached" &&
      !pod.deleting &&
      pod.phase !== "Failed" &&
      pod.phase !== "Succeeded",
  );
}

export function nextAttempt(
  set: { readonly revision: string; readonly attempt: string } | undefined,
  revision: string,
): string {
  const last = Number(set?.attempt.split("/")[1] ?? 0);
  return `${revision}/${Number.isInteger(last) ? last + 1 : 1}`;
}

export function otherColor(color: string | undefined): string {
  return color === "blue" ? "green" : "blue";
}

/** `blue (5f6d8c0a11)`: how a set is called in messages. */
export function nameOf(set: Pick<SetFacts, "color" | "revision">): string {
  return `${set.color} (${set.revision})`;
}
