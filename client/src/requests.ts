// Questions that wait for an answer on one socket. Not here: publishes (publisher.ts), which outlive their socket.

import type { ClientFrame, ServerFrame } from "@wscluster/protocol";
import { CLIENT_DEFAULTS } from "@wscluster/protocol";
import type { Clock, TimerHandle } from "./clock.ts";
import { ClientError } from "./errors.ts";
import type { Link } from "./link.ts";

type Question = Extract<ClientFrame, { readonly i: number }>;
/** A client frame without its request id. */
export type Unnumbered = Question extends infer F ? (F extends Question ? Omit<F, "i"> : never) : never;
/** Also an `err`. */
export type Answer = Extract<ServerFrame, { readonly i?: number }>;

type Pending = {
  readonly link: Link;
  readonly timer: TimerHandle;
  resolve(answer: Answer): void;
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

  /** Rejects with `timeout` when no answer comes or the socket ends. */
  ask(link: Link, question: Unnumbered, timeoutMs: number = CLIENT_DEFAULTS.requestTimeoutMs): Promise<Answer> {
    const i = this.#nextId();
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimer(() => this.#take(i)?.reject(noAnswer()), timeoutMs);
      this.#pending.set(i, { link, timer, resolve, reject });
      link.send({ ...question, i } as Question);
    });
  }

  outstanding(link: Link): number {
    let count = 0;
    for (const pending of this.#pending.values()) if (pending.link === link) count += 1;
    return count;
  }

  /** False if the question is not one of ours. */
  onAnswer(frame: Answer): boolean {
    const pending = this.#take(frame.i ?? -1);
    pending?.resolve(frame);
    return pending !== undefined;
  }

  /** The socket ended. */
  onDown(link: Link): void {
    for (const [i, pending] of this.#pending) if (pending.link === link) this.#take(i)?.reject(noAnswer());
  }

  #take(i: number): Pending | undefined {
    const pending = this.#pending.get(i);
    this.#pending.delete(i);
    if (pending) this.#clock.clearTimer(pending.timer);
    return pending;
  }
}

/** Rejects with `timeout` when the answer is no page. */
export async function pageOf(answer: Promise<Answer> | undefined): Promise<Extract<Answer, { readonly t: "page" }>> {
  const page = await answer;
  if (page?.t !== "page") throw noAnswer();
  return page;
}

function noAnswer(): ClientError {
  return new ClientError("timeout", "no answer; try again");
}
