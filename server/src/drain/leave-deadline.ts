// The hard deadline of a pod that was told to leave: without it a pod that nobody empties any more (the operator is down) would
// stand in the way of every eviction for ever. Not here: how it empties itself (own-drain.ts).

export type LeaveParts = {
  readonly now: () => number;
  readonly isEmpty: () => boolean;
  readonly isStoreOk: () => boolean;
  /** Asks those who are left to move, until `endMs`. */
  readonly round: (endMs: number, limitMs: number) => void;
  /** Closes whoever is left, with a window to come back in. */
  readonly cutAll: () => void;
  /** Empty and told to go: it is not ready any more. */
  readonly seal: () => void;
};

/** The pod's own moves begin so long before the deadline, at most. */
const LEAD_MS = 60_000;
/** So long empty, and nobody is on the way any more. */
const EMPTY_MS = 5_000;

export class LeaveDeadline {
  readonly #parts: LeaveParts;
  #deadline: { readonly endMs: number; readonly totalMs: number } | undefined;
  #emptySinceMs: number | undefined;
  #isSealed = false;

  constructor(parts: LeaveParts) {
    this.#parts = parts;
  }

  /** @param deadlineMs from now on; undefined lifts it */
  set(deadlineMs: number | undefined): void {
    this.#deadline =
      deadlineMs === undefined ? undefined : { endMs: this.#parts.now() + deadlineMs, totalMs: deadlineMs };
    this.#emptySinceMs = undefined;
    this.#isSealed = false;
  }

  /** Time left, 0 when it is over; null without a deadline. */
  get inMs(): number | null {
    return this.#deadline === undefined ? null : Math.max(0, this.#deadline.endMs - this.#parts.now());
  }

  /** Called about once a second. */
  tick(): void {
    if (this.#deadline === undefined) return;
    const { now, isEmpty, isStoreOk, round, cutAll } = this.#parts;
    const { endMs, totalMs } = this.#deadline;
    const nowMs = now();
    if (isEmpty()) {
      this.#emptySinceMs ??= nowMs;
      if (nowMs - this.#emptySinceMs >= EMPTY_MS || nowMs >= endMs) this.#seal();
      return;
    }
    this.#emptySinceMs = undefined;
    const leadMs = Math.min(LEAD_MS, totalMs / 2);
    if (nowMs < endMs - leadMs) return;
    if (nowMs < endMs) {
      round(endMs, leadMs);
      return;
    }
    // Without the store nobody could move: that time is given once more, and not for ever.
    if (!isStoreOk() && nowMs < endMs + totalMs) return;
    cutAll();
    this.#seal();
  }

  #seal(): void {
    if (!this.#isSealed) this.#parts.seal();
    this.#isSealed = true;
  }
}
