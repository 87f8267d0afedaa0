// When a status is written: at once on a transition, else at most every few seconds, and never when nothing changed. Pure.
import type { WebSocketClusterStatus } from "@wscluster/crds";
import { canonical } from "./wanted.ts";

/** Longest silence between two reports of a running move. */
export const MOVING_EVERY_MS = 5_000;
/** Numbers that change by themselves at rest. */
export const REST_EVERY_MS = 30_000;

export type StatusVerdict =
  | { readonly kind: "same" }
  | { readonly kind: "write" }
  | { readonly kind: "later"; readonly inMs: number };

export function judgeStatus(
  next: WebSocketClusterStatus,
  live: WebSocketClusterStatus | undefined,
  lastWriteMs: number | undefined,
  nowMs: number,
): StatusVerdict {
  if (textOf(next) === textOf(live ?? {})) return { kind: "same" };
  if (lastWriteMs === undefined || live === undefined || isTransition(next, live)) return { kind: "write" };
  const isAtRest = next.moving === undefined && next.candidate === undefined && podsText(next) === podsText(live);
  const everyMs = isAtRest ? REST_EVERY_MS : MOVING_EVERY_MS;
  const dueMs = lastWriteMs + everyMs - nowMs;
  return dueMs <= 0 ? { kind: "write" } : { kind: "later", inMs: dueMs };
}

/** Something that people and tools wait for, as opposed to a number that went on. */
function isTransition(next: WebSocketClusterStatus, live: WebSocketClusterStatus): boolean {
  return textOf(outline(next)) !== textOf(outline(live));
}

function outline(status: WebSocketClusterStatus): unknown {
  return {
    generation: status.observedGeneration,
    selector: status.selector,
    conditions: (status.conditions ?? [])
      .map(({ type, status: value, reason }) => [type, value, reason].join(" "))
      .toSorted(),
    // An old set that is at zero is the end of a rollout.
    sets: (status.sets ?? []).map(
      ({ revision, role, replicas }) => `${revision} ${role} ${role === "retired" && replicas === 0}`,
    ),
    phase: status.rollout?.phase,
    attempt: status.rollout?.attempt,
    // 2/3 to 3/3 is what people wait for at the start.
    ready: status.ready,
  };
}

/** Pods do not come and go by themselves: people look for them. */
function podsText({ replicas, edge, sets }: WebSocketClusterStatus): string {
  return textOf({ replicas, edge, sets: (sets ?? []).map((set) => `${set.replicas} ${set.ready}`) });
}

function textOf(value: unknown): string {
  return JSON.stringify(canonical(value) ?? {});
}
