// A pod empties itself: on its end (SIGTERM), or when it was left alone with a deadline. Not here: the pace and the targets
// (self-drain.ts), sending (mover.ts), who decides that it goes.

import type { IntentId, Window } from "@wscluster/protocol";
import type { PodEntry } from "../broker/port.ts";
import type { Registry } from "../session/registry.ts";
import type { Mover } from "./mover.ts";
import { LeaveDeadline } from "./leave-deadline.ts";
import { cutAfterMs, drainOrder } from "./self-drain.ts";

export type OwnDrainParts = {
  readonly podKey: string;
  readonly registry: Registry;
  readonly mover: Pick<Mover, "isDraining" | "drain" | "cutAll">;
  /** As the store last told them. */
  readonly peers: () => readonly PodEntry[];
  readonly now: () => number;
  /** For those who are closed to come back in. */
  readonly window: () => Window;
  /** Moves were begun: their steps have to be made. */
  readonly onMoves: () => void;
  readonly isStoreOk: () => boolean;
  /** It was told to leave, and is empty now. */
  readonly onSealed: () => void;
  readonly log: { warn(fields: object, text: string): void };
};

const ROUND_MS = 100;

export class OwnDrain {
  readonly intent: IntentId;
  readonly deadline: LeaveDeadline;
  readonly #parts: OwnDrainParts;

  constructor(parts: OwnDrainParts) {
    this.#parts = parts;
    this.intent = `evacuate/${parts.podKey}`;
    this.deadline = new LeaveDeadline({
      now: parts.now,
      isEmpty: () => parts.registry.isEmpty,
      isStoreOk: parts.isStoreOk,
      round: (endMs, limitMs) => this.round(endMs, limitMs),
      cutAll: () =>
        parts.log.warn({ cut: this.cutAll() }, "the deadline of this pod, which was told to leave, is over"),
      seal: parts.onSealed,
    });
  }

  /** Moves everybody who can be moved; ends when nobody is left for a moment, or when it is time to close the rest. */
  async run(limitMs: number): Promise<void> {
    const { registry, now } = this.#parts;
    const endMs = now() + cutAfterMs(limitMs);
    let emptySinceMs = 0;
    while (now() < endMs) {
      if (!registry.isEmpty) emptySinceMs = 0;
      else if (emptySinceMs === 0) emptySinceMs = now();
      // An arrival may be on its way: the edge learns of the end a moment later than the pod.
      else if (now() - emptySinceMs >= Math.min(1_000, limitMs / 10)) break;
      this.round(endMs, limitMs);
      await new Promise((resolve) => setTimeout(resolve, ROUND_MS));
    }
  }

  /** Asks those who were not asked yet, unless the last round is still being sent. */
  round(endMs: number, limitMs: number): void {
    const { podKey, registry, mover, peers, now, onMoves } = this.#parts;
    if (mover.isDraining) return;
    let free = 0;
    for (const { askedMove } of registry.sessions.values()) if (askedMove === undefined) free += 1;
    const pods = peers();
    const order = drainOrder({ ownKey: podKey, pods, free, terminationMs: limitMs, endMs, nowMs: now() });
    if (order === undefined) return;
    mover.drain({ ...order, intent: this.intent });
    onMoves();
  }

  /** Closes whoever is left, with a window to come back in. How many. */
  cutAll(): number {
    const { mover, window } = this.#parts;
    return mover.cutAll(this.intent, window());
  }
}
