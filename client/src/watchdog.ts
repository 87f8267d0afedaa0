// Notices a path that is dead although the socket says OPEN (browsers do, after sleep or behind a black hole). Not here: sockets.

import type { Clock, TimerHandle } from "./clock.ts";

export interface WatchdogHost {
  /** Asks the server for a sign of life. */
  sendPing(): void;
  /** Nothing came: drop the socket. */
  onSilence(silentMs: number): void;
}

/** Missed heartbeats before the server is asked. */
const HEARTBEATS = 2.5;
/** How long the answer to that may take. */
export const PROBE_MS = 5_000;

export class Watchdog {
  readonly #host: WatchdogHost;
  readonly #clock: Clock;
  readonly #heartbeatMs: number;
  #lastInboundMs: number;
  #probedAtMs: number | undefined;
  #timer: TimerHandle | undefined;

  constructor(host: WatchdogHost, clock: Clock, heartbeatMs: number) {
    this.#host = host;
    this.#clock = clock;
    this.#heartbeatMs = heartbeatMs;
    this.#lastInboundMs = clock.now();
    this.#arm(heartbeatMs * HEARTBEATS);
  }

  /** Any inbound frame is life. Returns how long it had been silent. */
  onInbound(): number {
    const now = this.#clock.now();
    const silentMs = now - this.#lastInboundMs;
    this.#lastInboundMs = now;
    this.#probedAtMs = undefined;
    return silentMs;
  }

  /** The machine woke up, or the network changed: ask now instead of waiting for the silence. */
  probe(): void {
    if (this.#probedAtMs !== undefined) return;
    this.#probedAtMs = this.#clock.now();
    this.#host.sendPing();
    this.#arm(PROBE_MS);
  }

  stop(): void {
    this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  #arm(delayMs: number): void {
    this.#clock.clearTimer(this.#timer);
    this.#timer = this.#clock.setTimer(() => this.#look(), delayMs);
  }

  #look(): void {
    const now = this.#clock.now();
    if (this.#probedAtMs !== undefined) {
      const left = PROBE_MS - (now - this.#probedAtMs);
      if (left > 0) this.#arm(left);
      else this.#host.onSilence(now - this.#lastInboundMs);
      return;
    }
    // Inbound frames do not re-arm the timer (there are thousands of them): it looks, and sleeps for what is left.
    const left = this.#heartbeatMs * HEARTBEATS - (now - this.#lastInboundMs);
    if (left > 0) this.#arm(left);
    else this.probe();
  }
}
