// When to try again, and when to stop trying. Not here: sockets; the numbers (protocol/reconnect.ts, protocol/close-codes.ts).

import { CLOSE, closeActionFor, reconnectDelayMs } from "@wscluster/protocol";
import type { Window } from "@wscluster/protocol";
import { askAdmission } from "./admission.ts";
import type { Clock, TimerHandle } from "./clock.ts";
import type { Diagnostics } from "./events.ts";
import type { GiveUpPolicy } from "./options.ts";
import type { PlatformLike } from "./platform-events.ts";

/** A connection counts as good, and backoff begins anew, this long after `welcome`: a reset at `open` keeps a herd together. */
const STABLE_MS = 10_000;
/** "The connection broke", as browsers say it: it explains nothing, so a window that we were given counts. */
export const BROKEN = 1006;

export type ComebackOptions = {
  readonly url: string;
  readonly platform: PlatformLike;
  readonly clock: Clock;
  readonly random: () => number;
  readonly giveUp: GiveUpPolicy;
  readonly diagnostics: Diagnostics;
  /** Another token may be had, so one refusal of the token is not the end. */
  readonly canRefreshToken: boolean;
  readonly retry: () => void;
};

export type Prospect = "retry" | "new-session" | "refused" | "given-up";

export class Comeback {
  readonly #options: ComebackOptions;
  #attempt = 0;
  #window: (Window & { readonly untilMs: number }) | undefined;
  #isWindowed = false;
  #isWaiting = false;
  #hasAsked = false;
  #retryTimer: TimerHandle | undefined;
  #stableTimer: TimerHandle | undefined;
  /** Since when there is no connection; `undefined` while there is one. */
  #darkSinceMs: number | undefined;

  constructor(options: ComebackOptions) {
    this.#options = options;
  }

  /** Attempts since the last good connection. */
  get attempt(): number {
    return this.#attempt;
  }

  get isDark(): boolean {
    return this.#darkSinceMs !== undefined;
  }

  /** The server names a window for whatever happens within `forMs`. */
  onWindow(window: Window, forMs = Infinity): void {
    this.#window = { ...window, untilMs: this.#options.clock.now() + forMs };
  }

  onWelcome(): void {
    this.#hasAsked = false;
    this.#stop();
    this.#stableTimer = this.#options.clock.setTimer(() => {
      this.#attempt = 0;
    }, STABLE_MS);
  }

  /** Nothing takes writes from here on. */
  beginDark(): void {
    this.#darkSinceMs ??= this.#options.clock.now();
  }

  /** Something takes writes again. Returns how long nothing did. */
  endDark(): number {
    if (this.#darkSinceMs === undefined) return 0;
    const darkMs = this.#options.clock.now() - this.#darkSinceMs;
    this.#darkSinceMs = undefined;
    this.#options.diagnostics.dark(darkMs);
    return darkMs;
  }

  /** What a close leads to. */
  prospectAfter(code: number): Prospect {
    const action = closeActionFor(code);
    const isTokenRefused = code === CLOSE.unauthorized;
    if (isTokenRefused && this.#options.canRefreshToken && this.#attempt === 0) return "retry";
    if (action === "stay-away" || action === "done") return "refused";
    const { afterAttempts, afterMs } = this.#options.giveUp;
    if (afterAttempts !== undefined && this.#attempt >= afterAttempts) return "given-up";
    const darkMs = this.#darkSinceMs === undefined ? 0 : this.#options.clock.now() - this.#darkSinceMs;
    if (afterMs !== undefined && darkMs >= afterMs) return "given-up";
    return action === "new-session" ? "new-session" : "retry";
  }

  /** Waits as the close code, the server's window and the number of attempts say, or exactly `delayMs`. Whoever could not even connect asks the edge. */
  wait(code: number, delayMs?: number, wasNeverOpen = false): void {
    const { clock, random } = this.#options;
    const isOurs = delayMs !== undefined;
    const obeys = !isOurs && (closeActionFor(code) === "window" || code === BROKEN);
    const window = obeys && this.#window && this.#window.untilMs > clock.now() ? this.#window : undefined;
    this.#isWindowed = window !== undefined;
    if (window) this.#window = undefined;
    this.#waitFor(delayMs ?? reconnectDelayMs(this.#attempt, random(), window));
    this.#attempt += 1;
    if (wasNeverOpen && !window && !this.#hasAsked) void this.#askWindow();
  }

  /** Once for each time without a connection: those who are refused must not come back as questions. */
  async #askWindow(): Promise<void> {
    this.#hasAsked = true;
    const { httpWorks, window } = await askAdmission(this.#options.url, this.#options.platform);
    this.#options.diagnostics.emit("connect-failed", { httpWorks });
    if (!window || !this.#isWaiting) return;
    this.#isWindowed = true;
    this.#waitFor(reconnectDelayMs(this.#attempt, this.#options.random(), window));
  }

  /** The network is back or the machine woke up: no reason to wait on, unless the server asked for it. */
  hurry(): void {
    // Half a second at least: `online` is told before addresses and names work, and a whole office hears it at once.
    if (this.#isWaiting && !this.#isWindowed) this.#retryIn(reconnectDelayMs(1, this.#options.random()));
  }

  stop(): void {
    this.#stop();
  }

  #waitFor(delayMs: number): void {
    this.#options.diagnostics.emit("waiting", { delayMs, attempt: this.#attempt, windowed: this.#isWindowed });
    this.#retryIn(delayMs);
  }

  #retryIn(delayMs: number): void {
    this.#stop();
    this.#isWaiting = true;
    this.#retryTimer = this.#options.clock.setTimer(() => {
      this.#isWaiting = false;
      this.#options.retry();
    }, delayMs);
  }

  #stop(): void {
    this.#isWaiting = false;
    this.#options.clock.clearTimer(this.#retryTimer);
    this.#options.clock.clearTimer(this.#stableTimer);
  }
}
