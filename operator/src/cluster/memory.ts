// What one process remembers of a cluster between passes. Losing it costs time, never safety.
import type { PaceLimits } from "../moves/limits.ts";
import { fullPace, nextPace, type Pace } from "../moves/pace.ts";
import { debit, type MoveLedger, newLedger, tokensAt } from "./ledger.ts";
import type { PlannedGrant } from "../moves/planner.ts";
import type { MemoryFacts } from "./facts.ts";
import type { Plan } from "./plan.ts";

/** The pace is measured over this time. */
const PACE_WINDOW_MS = 10_000;
/** By then a state that was asked for after a mode write has come. */
const MODE_SETTLES_MS = 1_500;

export class ClusterMemory {
  #ledger: MoveLedger;
  #progress: { of: string; best: number; sinceMs: number } | undefined;
  readonly #modes = new Map<string, { mode: string; atMs: number }>();
  #samples: { atMs: number; left: number }[] = [];
  #pace: Pace | undefined;
  #cutUnderFreeze = 0;
  /** Pods that are ending while the store is away, with what was last seen on them. */
  readonly #frozenEnds = new Map<string, number>();

  constructor(nowMs: number) {
    this.#ledger = newLedger(nowMs);
  }

  facts(nowMs: number, limits: PaceLimits): MemoryFacts {
    const progress = this.#progress;
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    const spanMs = first === undefined || last === undefined ? 0 : last.atMs - first.atMs;
    const movedPerSecond =
      first === undefined || last === undefined || spanMs < 1_000
        ? undefined
        : Math.max(0, ((first.left - last.left) * 1_000) / spanMs);
    return {
      ...tokensAt(this.#ledger, this.#slowed(limits), nowMs),
      perSecond: this.#slowed(limits).maxPerSecond,
      progress: progress === undefined ? undefined : { of: progress.of, sinceMs: progress.sinceMs },
      grants: this.#ledger.grants.filter((grant) => nowMs - grant.sentAtMs < 2_000),
      movedPerSecond,
      cutUnderFreeze: this.#cutUnderFreeze,
    };
  }

  /** Only the ordinary pace is held down by pressure: somebody else's deadline does not wait for it. */
  #slowed(limits: PaceLimits): PaceLimits {
    const perSecond = this.#pace?.perSecond ?? limits.maxPerSecond;
    return { ...limits, maxPerSecond: Math.min(limits.maxPerSecond, perSecond) };
  }

  /** @param pressures of those that take in now */
  learnPace(pressures: readonly number[], limits: PaceLimits, nowMs: number): void {
    const { maxPerSecond } = limits;
    this.#pace = nextPace(this.#pace ?? fullPace(maxPerSecond, nowMs), maxPerSecond, pressures, nowMs);
  }

  /** Whether this very mode was given to the pod a moment ago: its state may be older than that. */
  isModeRecent(uid: string, mode: string, nowMs: number): boolean {
    const last = this.#modes.get(uid);
    return last !== undefined && last.mode === mode && nowMs - last.atMs < MODE_SETTLES_MS;
  }

  noteMode(uid: string, mode: string, nowMs: number): void {
    for (const [old, { atMs }] of this.#modes) if (nowMs - atMs >= MODE_SETTLES_MS) this.#modes.delete(old);
    this.#modes.set(uid, { mode, atMs: nowMs });
  }

  /** Notes what a plan found: is there less to do than ever before? */
  observe(plan: Pick<Plan, "progress" | "endings">, nowMs: number): void {
    const { progress } = plan;
    this.#countCuts(plan.endings);
    if (progress === undefined) {
      this.#progress = undefined;
      this.#samples = [];
      return;
    }
    const before = this.#progress;
    const isNew = before === undefined || before.of !== progress.of;
    if (isNew) this.#samples = [];
    // A pause stops the time: what is held makes no progress and is not to blame.
    const isBetter = isNew || progress.held || progress.left < before.best;
    this.#progress = {
      of: progress.of,
      best: isNew ? progress.left : Math.min(before.best, progress.left),
      sinceMs: isBetter ? nowMs : before.sinceMs,
    };
    this.#samples = [
      ...this.#samples.filter((sample) => nowMs - sample.atMs < PACE_WINDOW_MS),
      { atMs: nowMs, left: progress.left },
    ];
  }

  /** Nobody reports what a pod closed at its end while the store was away: what was last seen on it is counted. */
  #countCuts({ isFrozen, pods }: Plan["endings"]): void {
    for (const [uid, connections] of this.#frozenEnds) {
      if (!pods.some((pod) => pod.uid === uid)) this.#cutUnderFreeze += connections;
      this.#frozenEnds.delete(uid);
    }
    if (isFrozen) for (const { uid, connections } of pods) this.#frozenEnds.set(uid, connections);
  }

  /** Debits one grant, at the moment before it is sent. False when the budget does not hold it. */
  spend(
    grant: Pick<PlannedGrant, "source" | "targets"> & { readonly isEmergency?: boolean },
    nowMs: number,
    limits: PaceLimits,
  ): boolean {
    const count = grant.targets.reduce((sum, target) => sum + target.count, 0);
    const { tokens, emergencyTokens } = tokensAt(this.#ledger, this.#slowed(limits), nowMs);
    if (count > (grant.isEmergency === true ? emergencyTokens : tokens)) return false;
    this.#ledger = debit(
      this.#ledger,
      { source: grant.source, sentAtMs: nowMs, targets: grant.targets },
      this.#slowed(limits),
    );
    return true;
  }
}
