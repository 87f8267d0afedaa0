// How many new connections per second this process bears beside what it does anyway: learned from the event loop's time that arrivals
// cost (handshake, hello, subscriptions), and corrected by how late its timers are. Pure apart from its own figures. Not here: who
// waits (lobby.ts).

/** What the loop did since the process began. */
export type LoopFacts = { readonly nowMs: number; readonly activeMs: number };

/** Of what is free; the rest is for those who are there already. */
const SHARE = 0.7;
/** Until arrivals were measured. */
const FIRST_COST_MS = 0.5;
const COST = { min: 0.02, max: 20 } as const;
/** Fewer arrivals say nothing about their cost. */
const ENOUGH_ARRIVALS = 10;
const LEAST_WINDOW_MS = 50;
/** A turn that comes this late keeps bystanders waiting. */
const LATE_MS = 25;
const SLOWER = 0.8;
const FASTER = 0.05;
/** Others on the same core make timers late as well, and fewer arrivals do not help against them. */
const LEAST_FACTOR = 0.4;
const LEAST_FREE = 0.1;

export class AdmissionRate {
  #costMs = FIRST_COST_MS;
  /** Share of the loop's time without arrivals. */
  #busy = 0;
  #factor = 1;
  #last: LoopFacts;
  #arrivals = 0;

  constructor(facts: LoopFacts) {
    this.#last = facts;
  }

  arrived(): void {
    this.#arrivals += 1;
  }

  /** Learns from the time since the last call, if that was long enough. */
  sample(facts: LoopFacts): void {
    const elapsedMs = facts.nowMs - this.#last.nowMs;
    if (elapsedMs < LEAST_WINDOW_MS) return;
    const activeMs = Math.min(elapsedMs, Math.max(0, facts.activeMs - this.#last.activeMs));
    const arrivals = this.#arrivals;
    this.#last = facts;
    this.#arrivals = 0;
    if (arrivals === 0) {
      const weight = Math.min(1, elapsedMs / 5_000);
      this.#busy += (activeMs / elapsedMs - this.#busy) * weight;
    } else if (arrivals >= ENOUGH_ARRIVALS) {
      const costMs = Math.max(0, activeMs - this.#busy * elapsedMs) / arrivals;
      this.#costMs += (Math.min(COST.max, Math.max(COST.min, costMs)) - this.#costMs) * 0.3;
    }
  }

  /** A timer that was due came this much later. */
  wasLate(lateMs: number): void {
    this.#factor =
      lateMs > LATE_MS ? Math.max(LEAST_FACTOR, this.#factor * SLOWER) : Math.min(1, this.#factor + FASTER);
  }

  get perSecond(): number {
    return (SHARE * Math.max(LEAST_FREE, 1 - this.#busy) * this.#factor * 1_000) / this.#costMs;
  }
}
