// Messages from user to user: they wait until each device has acknowledged them, and the sender is told. Not here: the stream itself,
// which is a channel as any other (subscriptions.ts), and publishing (publisher.ts).

import type { DirectReceipt, Position } from "@wscluster/protocol";
import { INBOX_CHANNEL, RECEIPT_PUBLISHER, USER_CHANNEL } from "@wscluster/protocol";
import type { Client } from "./client.ts";
import { ClientError, isClientError } from "./errors.ts";
import type { Published } from "./publisher.ts";
import { quietly } from "./presence.ts";
import { Acks } from "./inbox-acks.ts";
import { ask } from "./service.ts";
import type { Diverged, Gap, Message, Subscription } from "./subscription.ts";
import { MessageQueue } from "./subscription.ts";

/** A message in the user's inbox. */
export type DirectMessage<T = unknown> = {
  /** User that sent it. */
  readonly from: string;
  readonly data: T;
  readonly position: Position;
  /** Milliseconds since 1970 by the store's clock. */
  readonly timestamp: number;
};

/** All messages of ours to `to`, up to and including `position`, have come that far. */
export type Receipt = { readonly kind: "delivered" | "read"; readonly to: string; readonly position: Position };

/** A direct message that is stored. */
export type Sent = Published & {
  readonly to: string;
  /** Resolves once a device of the other user has acknowledged it; rejects with `closed` when the inbox is stopped. */
  delivered(): Promise<void>;
  /** Resolves once the other user has read it; rejects as `delivered` does. */
  read(): Promise<void>;
};

export type InboxOptions<T = unknown> = {
  /**
   * Gets each message once in the life of this client, in order. When it returns (or its promise resolves) the device has it: it
   * is acknowledged. Once it has thrown, that message and those after it come again to the next life of the client.
   */
  readonly onMessage?: (message: DirectMessage<T>) => unknown;
  readonly onReceipt?: (receipt: Receipt) => void;
  readonly onGap?: (gap: Gap) => void;
  readonly onDiverged?: (diverged: Diverged) => void;
  /** The server refused the inbox; it is over. */
  readonly onError?: (error: ClientError) => void;
  /** Default "handled", as `onMessage` says. "manual": only `ack` acknowledges. */
  readonly ack?: "handled" | "manual";
};

/** A user's inbox on this device. Iterating gives messages too, and acknowledges each when the next one is asked for (unless `ack` is "manual"). */
export interface Inbox<T = unknown> extends AsyncIterable<DirectMessage<T>> {
  /** Resolves once the inbox is open. Rejects with `refused`, `closed` or `given-up`. */
  opened(): Promise<void>;
  /** This device keeps the message and all before it: they are not sent to it again. Resolves once that is stored. */
  ack(message: { readonly position: Position }): Promise<void>;
  /** The user has read the message and all before it, on whatever device. */
  markRead(message: { readonly position: Position }): Promise<void>;
  /** Sends to all devices of a user, exactly once and in order, also while the user is away. Rejects as `client.publish` does. */
  send(user: string, data: unknown, options?: { readonly signal?: AbortSignal }): Promise<Sent>;
  stop(): void;
}

type Waiting = { readonly offset: number; resolve(): void; reject(error: unknown): void };

/** Opens the inbox of the client's user on the device that `connect` named. One at a time per client. */
export function inbox<T = unknown>(client: Client, options: InboxOptions<T> = {}): Inbox<T> {
  const queues = new Set<MessageQueue<DirectMessage<T>>>();
  const receipts = new Map<string, number>();
  const waiting = new Map<string, Waiting[]>();
  const acks = new Acks(client);
  const isManual = options.ack === "manual";
  let subscription: Subscription | undefined;
  let handled: Promise<void> = Promise.resolve();
  /** Offset of the last message that was given to the application. */
  let last = 0;
  let failed = false;
  let stopped: unknown;

  const onReceipt = ({ kind, to, e, o }: DirectReceipt): void => {
    const key = `${kind} ${to}`;
    receipts.set(key, Math.max(o, receipts.get(key) ?? 0));
    const left = (waiting.get(key) ?? []).filter((one) => {
      if (one.offset <= o) one.resolve();
      return one.offset > o;
    });
    waiting.set(key, left);
    options.onReceipt?.({ kind, to, position: { epoch: e, offset: o } });
  };
  const onDirect = async (direct: DirectMessage<T>): Promise<void> => {
    last = direct.position.offset;
    for (const queue of queues) queue.push(direct);
    if (!options.onMessage) return;
    try {
      await options.onMessage(direct);
    } catch (error) {
      failed = true;
      throw error;
    }
    if (!isManual && !failed) quietly(acks.upTo(direct.position, false));
  };
  const onMessage = (message: Message): Promise<void> => {
    const position = { epoch: message.epoch, offset: message.offset };
    // One after the other, so that an acknowledgement never passes over a message whose handler still works.
    const turn = handled.then(async () => {
      if (stopped !== undefined) return;
      if (!message.publisher.startsWith(RECEIPT_PUBLISHER)) {
        // The wire carries JSON: that it is a T is the application's word.
        const data = message.data as T;
        return onDirect({ from: message.publisher, data, position, timestamp: message.timestamp });
      }
      onReceipt(message.data as DirectReceipt);
      if (last <= acks.reached) quietly(acks.upTo(position, false));
    });
    handled = turn.catch(() => {});
    return turn;
  };
  const opened = (async () => {
    const answer = await ask(client, "open the inbox", { t: "inbox.open" });
    if (answer.t !== "inbox.ok" || stopped !== undefined) return;
    subscription = client.subscribe(INBOX_CHANNEL, {
      from: { epoch: answer.e, offset: answer.o },
      onMessage,
      ...(options.onGap ? { onGap: options.onGap } : {}),
      ...(options.onDiverged ? { onDiverged: options.onDiverged } : {}),
      onError: (error) => end(error),
    });
    await subscription.subscribed();
  })();
  opened.catch((error: unknown) => end(error));

  const end = (error: unknown): void => {
    if (stopped !== undefined) return;
    stopped = error;
    subscription?.unsubscribe();
    for (const queue of queues) queue.end(undefined);
    for (const one of [...waiting.values()].flat()) one.reject(error);
    if (isClientError(error) && error.code !== "closed") options.onError?.(error);
  };
  const receiptOf = (kind: Receipt["kind"], to: string, { offset }: Position): Promise<void> => {
    const key = `${kind} ${to}`;
    if ((receipts.get(key) ?? 0) >= offset) return Promise.resolve();
    if (stopped !== undefined) return Promise.reject(stopped);
    return new Promise((resolve, reject) => {
      const known = waiting.get(key) ?? [];
      known.push({ offset, resolve, reject });
      waiting.set(key, known);
    });
  };
  return {
    opened: () => opened,
    ack: ({ position }) => acks.upTo(position, false),
    markRead: ({ position }) => acks.upTo(position, true),
    async send(user, data, sendOptions) {
      const stored = await client.publish(USER_CHANNEL + user, data, sendOptions);
      return {
        ...stored,
        to: user,
        delivered: () => receiptOf("delivered", user, stored),
        read: () => receiptOf("read", user, stored),
      };
    },
    stop: () => end(endedError()),
    [Symbol.asyncIterator]() {
      const queue = new MessageQueue<DirectMessage<T>>();
      queues.add(queue);
      if (stopped !== undefined) queue.end(undefined);
      const given = queue.read(() => void queues.delete(queue));
      return isManual ? given : acknowledging(given, (message) => quietly(acks.upTo(message.position, false)));
    },
  };
}

async function* acknowledging<T>(
  messages: AsyncGenerator<DirectMessage<T>, void>,
  acknowledge: (message: DirectMessage<T>) => void,
): AsyncGenerator<DirectMessage<T>, void> {
  for await (const message of messages) {
    yield message;
    acknowledge(message);
  }
}

function endedError(): ClientError {
  return new ClientError("closed", "cannot wait for a receipt: the inbox was stopped");
}
