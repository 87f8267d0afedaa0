// What `subscribe` returns: handlers and an async iterator over one channel. Not here: where the channel stands (subscriptions.ts).

import type { GapReason, Position } from "@wscluster/protocol";
import type { ClientError } from "./errors.ts";

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
  readonly from?: Position | undefined;
  /** An async one is not waited for; its failure is reported as one that throws is. */
  readonly onMessage?: (message: Message<T>) => unknown;
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

/** An unbounded queue with one reader: messages cannot be held back at the socket, so the reader has to keep up. */
export class MessageQueue<T extends object> {
  readonly #items: T[] = [];
  #wake: () => void = () => {};
  #end: { readonly error: Error | undefined } | undefined;

  push(item: T): void {
    this.#items.push(item);
    this.#wake();
  }

  /** What was pushed is still read; then the reading ends, with `error` where there is one. */
  end(error: Error | undefined): void {
    this.#end ??= { error };
    this.#wake();
  }

  async *read(onReturn: () => void): AsyncGenerator<T, void> {
    try {
      for (;;) {
        const item = this.#items.shift();
        if (item) yield item;
        else if (this.#end) {
          if (this.#end.error) throw this.#end.error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      onReturn();
    }
  }
}
