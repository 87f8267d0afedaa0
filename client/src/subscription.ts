// What `subscribe` returns: handlers and an async iterator over one channel. Not here: where the channel stands (subscriptions.ts).

import type { GapReason, Position } from "@wscluster/protocol";
import { ClientError } from "./errors.ts";

/** One message of a channel. */
export type Message<T = unknown> = {
  readonly channel: string;
  readonly offset: number;
  readonly epoch: string;
  /** User that published. */
  readonly publisher: string;
  /** Milliseconds since 1970 by the store's clock, with microseconds as fraction; never falling within a channel. */
  readonly timestamp: number;
  readonly data: T;
};

export type EphemeralMessage<T = unknown> = {
  readonly channel: string;
  readonly publisher: string;
  readonly data: T;
};

/** Messages `from`+1..`to` can no longer be had. */
export type Gap = {
  readonly channel: string;
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
  readonly why: GapReason;
};

/** The store lost writes: what was received above `previous.offset` of that epoch is not part of the stream any more. */
export type Diverged = { readonly channel: string; readonly previous: Position; readonly position: Position };

export type Subscribed = {
  readonly channel: string;
  /** The stream's top when the subscription began. */
  readonly position: Position;
  /** False: a gap or divergence is told next. */
  readonly recovered: boolean;
};

export type SubscribeOptions<T = unknown> = {
  /** Continue after this position, for example the one stored with the last message. Absent: start at the top. */
  readonly from?: Position;
  readonly onMessage?: (message: Message<T>) => void;
  readonly onEphemeral?: (message: EphemeralMessage<T>) => void;
  readonly onGap?: (gap: Gap) => void;
  readonly onDiverged?: (diverged: Diverged) => void;
  /** The server took the subscription for the first time. */
  readonly onSubscribed?: (subscribed: Subscribed) => void;
  /** The server refused the subscription; it is over. */
  readonly onError?: (error: ClientError) => void;
  /** Ends the subscription. */
  readonly signal?: AbortSignal;
};

/** A live subscription. Handlers and iteration may be used together; iteration sees messages from its first `next` on. */
export interface Subscription<T = unknown> extends AsyncIterable<Message<T>> {
  readonly channel: string;
  /** Position of the last message given to the application. */
  readonly position: Position | undefined;
  /** Resolves once the server took the subscription; rejects with `refused` or `closed`. */
  subscribed(): Promise<Subscribed>;
  unsubscribe(): void;
}

type Waiting<T> = { resolve(result: IteratorResult<T>): void; reject(error: unknown): void };

/** An unbounded queue with one reader: messages cannot be held back at the socket, so the reader has to keep up. */
export class MessageQueue<T> implements AsyncIterableIterator<T> {
  readonly #items: T[] = [];
  #waiting: Waiting<T>[] = [];
  #end: { error?: unknown } | undefined;
  readonly #onReturn: () => void;

  constructor(onReturn: () => void) {
    this.#onReturn = onReturn;
  }

  push(item: T): void {
    if (this.#end) return;
    const reader = this.#waiting.shift();
    if (reader) reader.resolve({ value: item, done: false });
    else this.#items.push(item);
  }

  end(error?: unknown): void {
    if (this.#end) return;
    this.#end = { error };
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const reader of waiting) {
      if (error === undefined) reader.resolve({ value: undefined, done: true });
      else reader.reject(error);
    }
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#items.length > 0) return Promise.resolve({ value: this.#items.shift() as T, done: false });
    if (this.#end) {
      const { error } = this.#end;
      this.#end = {};
      return error === undefined ? Promise.resolve({ value: undefined, done: true }) : Promise.reject(error);
    }
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<T>> {
    this.#items.length = 0;
    this.end();
    this.#onReturn();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
