// Reads that wait for an answer on one socket. Not here: publishes (publisher.ts), which outlive their socket.

import type { Position, ServerFrame } from "@wscluster/protocol";
import { CLIENT_DEFAULTS } from "@wscluster/protocol";
import type { Clock, TimerHandle } from "./clock.ts";
import { ClientError } from "./errors.ts";
import type { Link } from "./link.ts";

export type PageFrame = Extract<ServerFrame, { t: "page" }>;

type Pending = {
  readonly link: Link;
  readonly channel: string;
  readonly timer: TimerHandle;
  resolve(page: PageFrame): void;
  reject(error: ClientError): void;
};

export class Requests {
  readonly #clock: Clock;
  readonly #nextId: () => number;
  readonly #pending = new Map<number, Pending>();

  constructor(clock: Clock, nextId: () => number) {
    this.#clock = clock;
    this.#nextId = nextId;
  }

  /** Asks for a page; rejects with `timeout` when no answer comes or the socket ends, both worth another try. */
  fetch(link: Link, channel: string, from: Position, n: number): Promise<PageFrame> {
    const i = this.#nextId();
    return new Promise((resolve, reject) => {
      const onTimeout = (): void => this.#fail(i, noAnswer(channel));
      const timer = this.#clock.setTimer(onTimeout, CLIENT_DEFAULTS.requestTimeoutMs);
      this.#pending.set(i, { link, channel, timer, resolve, reject });
      link.send({ t: "fetch", i, c: channel, from, n });
    });
  }

  outstanding(link: Link): number {
    let count = 0;
    for (const pending of this.#pending.values()) if (pending.link === link) count += 1;
    return count;
  }

  onPage(frame: PageFrame): void {
    const pending = this.#take(frame.i);
    pending?.resolve(frame);
  }

  /** Takes an `err`; false if the request is not one of ours. */
  onRefused(i: number, code: string, message: string, retry: boolean): boolean {
    const channel = this.#pending.get(i)?.channel;
    if (channel === undefined) return false;
    const text = `cannot read history of "${channel}": ${message}`;
    this.#fail(i, retry ? noAnswer(channel) : new ClientError("refused", text, { wireCode: code }));
    return true;
  }

  /** The socket ended. */
  onDown(link: Link): void {
    for (const [i, pending] of this.#pending) if (pending.link === link) this.#fail(i, noAnswer(pending.channel));
  }

  #fail(i: number, error: ClientError): void {
    this.#take(i)?.reject(error);
  }

  #take(i: number): Pending | undefined {
    const pending = this.#pending.get(i);
    this.#pending.delete(i);
    if (pending) this.#clock.clearTimer(pending.timer);
    return pending;
  }
}

/** Worth another try. */
export function noAnswer(channel: string): ClientError {
  return new ClientError("timeout", `cannot read history of "${channel}": no answer; try again`);
}
