// Brings the wanted revision into play: as stable, as candidate, or by giving the running candidate up. Pure.
import { type ClusterFacts, freshValue, type SetMarks } from "../../facts.ts";
import { RENDERER_VERSION, serverTemplateFor } from "../children/server-template.ts";
import { preflightAt } from "../gate.ts";
import { type Hold, waitFor, windowHold } from "../holds.ts";
import { attachedPods, hasTraffic, nameOf, nextAttempt, otherColor, type PlannedSet, takerOf } from "../sets.ts";
import { abort, stepText } from "./abort.ts";
import type { Draft } from "./draft.ts";
import { candidateSize } from "./plan-of-steps.ts";

export function followSpec(draft: Draft): void {
  const { facts } = draft;
  const wanted = facts.wanted.servers;
  for (const set of draft.sets) {
    // "A revision is never poisoned": wanting something else in between clears the mark.
    if (set.aborted !== undefined && set.revision !== wanted) draft.mark(set, { aborted: undefined });
  }
  const stable = draft.of("stable");
  const candidate = draft.of("candidate");
  if (stable?.revision === wanted) {
    if (candidate !== undefined) abort(draft, candidate, "RolledBack", `${nameOf(stable)} is wanted again`);
    return;
  }
  if (candidate?.revision === wanted) return;
  const present = draft.sets.find((set) => set.revision === wanted);
  if (present?.aborted !== undefined) return;
  // Nothing that people notice begins outside of the maintenance windows; what was never served has nobody who notices.
  const hold = candidate === undefined && stable !== undefined ? windowHold(facts) : undefined;
  if (hold !== undefined) return wait(draft, hold);
  const isWarm = present !== undefined && isWayBack(draft, present);
  const against = isWarm ? undefined : preflightAt(facts.gate, nextAttempt(present, wanted), "preflight");
  if (against !== undefined) {
    draft.waiting = { ...against, sinceMs: facts.nowMs };
    return;
  }
  if (candidate !== undefined) supersede(draft, candidate);
  begin(draft, present, isWarm);
}

function wait(draft: Draft, hold: Hold): void {
  draft.waiting = { ...waitFor(hold), sinceMs: draft.facts.nowMs };
}

/** A retained set with all of its pods warm: it can have the traffic at once. */
function isWayBack(draft: Draft, present: PlannedSet): boolean {
  const { pods, spec } = draft.facts;
  if (present.role !== "retired" || present.step !== "retain") return false;
  const ready = attachedPods(pods, present).filter((pod) => pod.ready && freshValue(pod.state)?.sealed === false);
  return ready.length > 0 && ready.length >= spec.replicas;
}

function begin(draft: Draft, present: PlannedSet | undefined, isWarm: boolean): void {
  const { facts } = draft;
  const { cluster, spec, nowMs, wanted } = facts;
  const revision = wanted.servers;
  const stable = draft.of("stable");
  const taker = takerOf(draft.sets);
  // The very first revision has nobody to take over from.
  const isFirst = stable === undefined && !draft.sets.some((set) => set.role !== "retired");
  const newest = draft.sets.toSorted((a, b) => b.startedAtMs - a.startedAtMs)[0];
  const hasTrafficAlready = present !== undefined && present === taker;
  const marks: SetMarks = {
    role: isFirst ? "stable" : "candidate",
    step: isFirst ? "serve" : hasTrafficAlready || isWarm ? "switch" : "provision",
    color: present?.color ?? (isFirst && newest === undefined ? "blue" : otherColor((stable ?? newest)?.color)),
    attempt: nextAttempt(present, revision),
    startedAtMs: nowMs,
    switchedAtMs: undefined,
    movedAtMs: undefined,
    restartedAtMs: wanted.restartedAt === undefined ? undefined : Date.parse(wanted.restartedAt),
    trial: undefined,
    aborted: undefined,
  };
  // A revision that comes back must not wear the colour of the one that it replaces.
  const color = stable !== undefined && marks.color === stable.color ? otherColor(stable.color) : marks.color;
  const size = isFirst ? spec.replicas : (candidateSize(spec, marks, 0) ?? spec.replicas);
  const begun: PlannedSet =
    present === undefined
      ? {
          ...marks,
          color,
          revision,
          name: `${cluster.name}-${revision}`,
          image: spec.server.image,
          rendererVersion: RENDERER_VERSION,
          template: serverTemplateFor(facts, revision),
          source: sourceOf(spec),
          createdAtMs: nowMs,
          replicas: size,
          live: undefined,
        }
      : { ...present, ...marks, color, replicas: Math.max(present.replicas, size) };
  draft.sets = [...draft.sets.filter((set) => set.revision !== revision), begun];
  if (isFirst) return;
  const from = stable === undefined ? "nothing" : nameOf(stable);
  const how = isWarm ? " at once: its pods are still warm" : "";
  draft.tell(
    "RolloutStarted",
    `attempt ${begun.attempt}: ${nameOf(begun)} with image ${begun.image} is to take over from ${from}${how}`,
  );
}

/** What `rollback` puts back into the specification. */
function sourceOf({ server, redis, auth }: ClusterFacts["spec"]): string {
  return JSON.stringify({ server, redis, auth });
}

function supersede(draft: Draft, candidate: PlannedSet): void {
  draft.tell(
    "RolloutSuperseded",
    `attempt ${candidate.attempt}: a newer specification came at step ${stepText(candidate)}`,
  );
  if (hasTraffic(candidate)) draft.mark(candidate, { role: "superseded" });
  else draft.mark(candidate, { role: "retired", step: "seal" });
}
