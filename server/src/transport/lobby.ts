// The way in between a valid request and its handshake. After a crash elsewhere everybody comes at once: they are let in at the pace
// that this process bears, so that those who are in do not feel it. Some wait for a moment; more than can be served in that time are
// told when to come back. Not here: who may come in at all (admission.ts), the sockets (front.ts).

import { ADMISSION, getReconnectionWindow } from "@wscluster/protocol";
import { AdmissionRate } from "./admission-rate.ts";
import type { LoopFacts } from "./admission-rate.ts";
import { WaitingLine } from "./waiting-line.ts";
import type { Visitor } from "./waiting-line.ts";

export interface Arriving extends Visitor {
  take(): void;
  refuse(code: "busy" | "full", retryAfterMs: number): void;
}

export type LobbySettings = {
  /** Longest wait for one's turn; 0 = refused at once. */
  readonly brakeWaitMs: number;
  /** Longest wait for a free slot; 0 = refused at once. */
  readonly slotWaitMs: number;
  /** New connections per second; 0 = what is measured. */
  readonly perSecond: number;
};

export const LOBBY_DEFAULTS: LobbySettings = { brakeWaitMs: 2_000, slotWaitMs: 0, perSecond: 0 };

export type LobbyParts = {
  readonly settings: LobbySettings;
  readonly facts: () => LoopFacts;
  readonly hasSlot: () => boolean;
};

const STEP_MS = 5;
/** Let in at once, however little was heard for a while. A burst above it would be felt. */
const LEAST_BURST = 20;
const BURST_MS = 20;
const MOST_WAITING = 20_000;
/** A slot may be free at any time. */
const FULL_RETRY_MS = 5_000;
/** Refusals this long ago are back already, or gone. */
const REFUSED_FORGET_MS = 30_000;

export class Lobby {
  readonly rate: AdmissionRate;
  readonly #parts: LobbyParts;
  readonly #line = new WaitingLine<Arriving>();
  readonly #slotLine = new WaitingLine<Arriving>();
  #tokens = LEAST_BURST;
  #tokensAtMs: number;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = 0;
  #refused = 0;
  #refusedAtMs = 0;

  constructor(parts: LobbyParts) {
    this.#parts = parts;
    const facts = parts.facts();
    this.rate = new AdmissionRate(facts);
    this.#tokensAtMs = facts.nowMs;
  }

  get perSecond(): number {
    const { perSecond } = this.#parts.settings;
    return perSecond > 0 ? perSecond : this.rate.perSecond;
  }

  get waiting(): number {
    return this.#line.size + this.#slotLine.size;
  }

  /** Moves, and others that were let in before: at once, but felt by those behind. */
  bypass(visitor: Arriving): void {
    this.rate.arrived();
    visitor.take();
  }

  arrive(visitor: Arriving): void {
    const { nowMs } = this.#parts.facts();
    this.#refill(nowMs);
    if (this.#line.size === 0 && this.#tokens >= 1) {
      this.#letIn(visitor, nowMs);
      return;
    }
    const { brakeWaitMs } = this.#parts.settings;
    const most = Math.min(MOST_WAITING, (this.perSecond * brakeWaitMs) / 1_000);
    if (this.#line.size >= most) {
      this.#sendAway(visitor, nowMs);
      return;
    }
    this.#line.enter(visitor, nowMs + brakeWaitMs);
    this.#startSteps(nowMs);
  }

  /** In which time those who were sent away, and those who wait, can be served. */
  windowMs(nowMs = this.#parts.facts().nowMs): number {
    const away = nowMs - this.#refusedAtMs > REFUSED_FORGET_MS ? 0 : this.#refused;
    const count = away + this.#line.size;
    return count === 0 ? 0 : Math.min(ADMISSION.maxWindowMs, getReconnectionWindow(count, this.perSecond).maxMs);
  }

  /** Once a second: what the loop costs while nobody comes, and what is left of a storm. */
  sample(): void {
    this.rate.sample(this.#parts.facts());
  }

  slotFreed(): void {
    if (this.#slotLine.size > 0) this.#fillSlots(this.#parts.facts().nowMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const visitor of [...this.#line.clear(), ...this.#slotLine.clear()]) visitor.refuse("busy", 1_000);
  }

  #letIn(visitor: Arriving, nowMs: number): void {
    if (!this.#parts.hasSlot()) {
      this.#waitForSlot(visitor, nowMs);
      return;
    }
    this.#tokens -= 1;
    this.rate.arrived();
    visitor.take();
  }

  #waitForSlot(visitor: Arriving, nowMs: number): void {
    const { slotWaitMs } = this.#parts.settings;
    if (slotWaitMs === 0 || this.#slotLine.size >= MOST_WAITING) {
      visitor.refuse("full", FULL_RETRY_MS);
      return;
    }
    this.#slotLine.enter(visitor, nowMs + slotWaitMs);
    this.#startSteps(nowMs);
  }

  #sendAway(visitor: Arriving, nowMs: number): void {
    if (nowMs - this.#refusedAtMs > REFUSED_FORGET_MS) this.#refused = 0;
    this.#refusedAtMs = nowMs;
    this.#refused += 1;
    visitor.refuse("busy", this.windowMs(nowMs));
  }

  #refill(nowMs: number): void {
    const passedMs = Math.max(0, nowMs - this.#tokensAtMs);
    this.#tokensAtMs = nowMs;
    const { perSecond } = this;
    const most = Math.max(LEAST_BURST, (perSecond * BURST_MS) / 1_000);
    const back = (perSecond * passedMs) / 1_000;
    this.#tokens = Math.min(most, this.#tokens + back);
    // Whoever was sent away comes back in these.
    this.#refused = Math.max(0, this.#refused - back);
  }

  #fillSlots(nowMs: number): void {
    while (this.#parts.hasSlot()) {
      const visitor = this.#slotLine.next(nowMs, (late) => late.refuse("full", FULL_RETRY_MS));
      if (!visitor) return;
      this.rate.arrived();
      visitor.take();
    }
  }

  #startSteps(nowMs: number): void {
    if (this.#timer !== undefined) return;
    this.#dueMs = nowMs + STEP_MS;
    this.#timer = setTimeout(() => this.#step(), STEP_MS);
  }

  #step(): void {
    this.#timer = undefined;
    const facts = this.#parts.facts();
    const { nowMs } = facts;
    this.rate.wasLate(nowMs - this.#dueMs);
    this.rate.sample(facts);
    // Nobody is served for the time in which this process stood still: that would be the burst that is to be avoided.
    this.#tokensAtMs = Math.max(this.#tokensAtMs, nowMs - BURST_MS);
    this.#refill(nowMs);
    while (this.#tokens >= 1) {
      const visitor = this.#line.next(nowMs, (late) => this.#sendAway(late, nowMs));
      if (!visitor) break;
      this.#letIn(visitor, nowMs);
    }
    this.#line.expire(nowMs, (late) => this.#sendAway(late, nowMs));
    this.#fillSlots(nowMs);
    this.#slotLine.expire(nowMs, (late) => late.refuse("full", FULL_RETRY_MS));
    if (this.waiting > 0) this.#startSteps(nowMs);
  }
}
