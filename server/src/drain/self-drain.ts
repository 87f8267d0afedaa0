// What a pod that was told to end does on its own: how fast, where to, and when it gives up. Pure. Not here: sending (mover.ts).

import type { GrantTarget } from "@wscluster/protocol";
import { LEASE_MS } from "../broker/port.ts";
import type { PodEntry } from "../broker/port.ts";
import type { Order } from "./mover.ts";

/** Kept at the end for cutting the rest and leaving in order. */
const RESERVE_MS = 5_000;
/** Moves per second that a pod starts at most by itself. */
const MAX_PER_SECOND = 100;

/** Time left for moves. The real limit may be shorter than the grace (spot notice), so the work is done in its first half. */
export function drainWindowMs(connections: number, terminationMs: number): number {
  const usable = Math.max(500, terminationMs - RESERVE_MS);
  return Math.min(usable / 2, Math.max(1_000, (connections / MAX_PER_SECOND) * 1_000));
}

/** When what is left is cut, after the start. */
export function cutAfterMs(terminationMs: number): number {
  return Math.max(terminationMs / 2, terminationMs - RESERVE_MS);
}

function staying(ownKey: string, pods: readonly PodEntry[]): readonly PodEntry[] {
  return pods.filter(
    (pod) =>
      pod.key !== ownKey &&
      pod.mode === "active" &&
      !pod.sealed &&
      !pod.terminating &&
      !pod.gone &&
      pod.silentMs < LEASE_MS,
  );
}

/** Living peers with room, each with a share of `count` by its headroom. A peer that goes itself is no target. */
export function drainTargets(ownKey: string, pods: readonly PodEntry[], count: number): readonly GrantTarget[] {
  const peers = staying(ownKey, pods)
    .map((pod) => ({ pod: pod.key, room: Math.max(0, pod.capacity - pod.connections) }))
    .filter(({ room }) => room > 0)
    .sort((a, b) => b.room - a.room);
  const total = peers.reduce((sum, { room }) => sum + room, 0);
  let left = Math.min(count, total);
  return peers.flatMap(({ pod, room }) => {
    const share = Math.min(left, room, Math.ceil((count * room) / total));
    left -= share;
    return share > 0 ? [{ pod, count: share }] : [];
  });
}

/** New sessions per second that the pods bear which stay; where none is known, what this one bears. */
export function peersAdmission(ownKey: string, pods: readonly PodEntry[], own: number): number {
  const peers = staying(ownKey, pods);
  return peers.length === 0 ? own : peers.reduce((sum, { admissionPerSecond }) => sum + (admissionPerSecond ?? own), 0);
}

export type DrainFacts = {
  readonly ownKey: string;
  readonly pods: readonly PodEntry[];
  /** Connections that are not asked yet. */
  readonly free: number;
  readonly terminationMs: number;
  readonly nowMs: number;
  readonly endMs: number;
};

/** The next round of a pod that empties itself; undefined when nobody has room. */
export function drainOrder({
  ownKey,
  pods,
  free,
  terminationMs,
  nowMs,
  endMs,
}: DrainFacts): Omit<Order, "intent"> | undefined {
  const targets = drainTargets(ownKey, pods, free);
  if (targets.length === 0) return undefined;
  const leftMs = Math.max(1_000, endMs - nowMs);
  return {
    count: free,
    windowMs: Math.min(drainWindowMs(free, terminationMs), leftMs / 2),
    targets,
    deadlineMs: Math.min(30_000, leftMs),
    select: { order: "idle" },
    cutOthers: true,
  };
}
