// One write per socket and turn: channels hand over first, then sockets send what has gathered. While writing costs little there is no
// delay and no timer; when it costs much, channels gather for a while, because each write is a system call however much it carries.
// Answers to one client never wait. Not here: what is sent.

import { joinFrames } from "./joined-frames.ts";
import type { LastJoined } from "./joined-frames.ts";

export interface Flushable {
  flush(): void;
}

/**
 * Writing may take half of the time; what channels bring meanwhile leaves with the next turn. More would save more, and be felt where
 * one channel alone is slow and wide: with 3, 1,000 subscribers at 50 messages/s waited 21 ms at the median instead of 7.
 */
const WINDOW_PER_COST = 1;
/** Nobody waits longer for that, however many sockets there are. */
const WINDOW_MAX_MS = 20;
/** Timers are no finer. */
const WINDOW_MIN_MS = 1;

/** How long channels gather after a turn that took `costMs`. Pure. */
export function windowFor(costMs: number): number {
  const windowMs = Math.min(WINDOW_MAX_MS, costMs * WINDOW_PER_COST);
  return windowMs < WINDOW_MIN_MS ? 0 : windowMs;
}

export class OutputTick {
  #channels: Flushable[] = [];
  #sockets: Flushable[] = [];
  #channelsPlanned = false;
  #socketsPlanned = false;
  #quietUntilMs = 0;
  #lastJoined: LastJoined | undefined;
  readonly #now: (() => number) | undefined;
  readonly #runChannels = () => this.run();
  readonly #runSockets = () => this.#flushSockets();

  /** @param now monotonic milliseconds; without it channels never gather. */
  constructor(now?: () => number) {
    this.#now = now;
  }

  markChannel(channel: Flushable): void {
    this.#channels.push(channel);
    if (this.#channelsPlanned) return;
    this.#channelsPlanned = true;
    const waitMs = this.#now ? this.#quietUntilMs - this.#now() : 0;
    if (waitMs < WINDOW_MIN_MS) setImmediate(this.#runChannels);
    else setTimeout(this.#runChannels, waitMs);
  }

  markSocket(socket: Flushable): void {
    this.#sockets.push(socket);
    if (this.#socketsPlanned) return;
    this.#socketsPlanned = true;
    setImmediate(this.#runSockets);
  }

  /** Sends everything now. */
  run(): void {
    const startedMs = this.#now?.() ?? 0;
    this.#channelsPlanned = false;
    const channels = this.#channels;
    this.#channels = [];
    // Sockets that this marks are written below: no turn of their own.
    const wasPlanned = this.#socketsPlanned;
    this.#socketsPlanned = true;
    for (const channel of channels) channel.flush();
    this.#socketsPlanned = wasPlanned;
    this.#flushSockets();
    if (!this.#now) return;
    const endedMs = this.#now();
    this.#quietUntilMs = endedMs + windowFor(endedMs - startedMs);
  }

  #flushSockets(): void {
    this.#socketsPlanned = false;
    const sockets = this.#sockets;
    if (sockets.length === 0) return;
    this.#sockets = [];
    for (const socket of sockets) socket.flush();
    // The next turn has other frames, and these may be large.
    this.#lastJoined = undefined;
  }

  /** The frames as one buffer, the same one for all sockets in a row that have the same frames. Undefined = too large to copy. */
  join(frames: readonly Buffer[], bytes: number): Buffer | undefined {
    this.#lastJoined = joinFrames(frames, bytes, this.#lastJoined);
    return this.#lastJoined?.buffer;
  }
}
