// One channel of one client as React sees it: an immutable snapshot and a way to hear of the next. Not here: React.

import { ClientError, history } from "@wscluster/client";
import type { Client, Diverged, Gap, Message, Position, Subscription } from "@wscluster/client";
import { DeferredRelease } from "./deferred-release.ts";

/** `waiting` until the server took the subscription, `ended` once it was refused or the client is over. */
export type ChannelStatus = "waiting" | "subscribed" | "ended";

export type Channel<T = unknown> = {
  readonly status: ChannelStatus;
  /** Oldest first. */
  readonly messages: readonly Message<T>[];
  /** Messages that can no longer be had, by range. */
  readonly gaps: readonly Gap[];
  /** Why `status` is `ended`. */
  readonly error: ClientError | undefined;
};

export type ChannelStart = {
  readonly from?: Position;
  /** Messages before the subscription's start that are fetched once. */
  readonly history: number;
};

export const NO_CHANNEL: Channel = { status: "waiting", messages: [], gaps: [], error: undefined };
const GAPS_KEPT = 20;

/** The state after a message came. Pure. */
export function withMessage(channel: Channel, message: Message, limit: number): Channel {
  return { ...channel, messages: [...channel.messages, message].slice(-limit) };
}

/** Earlier messages go in front of what came meanwhile; what is there twice is taken once. Pure. */
export function withHistory(channel: Channel, earlier: readonly Message[], limit: number): Channel {
  const first = channel.messages[0]?.offset ?? Number.POSITIVE_INFINITY;
  const older = earlier.filter((message) => message.offset < first);
  return { ...channel, messages: [...older, ...channel.messages].slice(-limit) };
}

/** What the store lost is taken out again: it is not part of the stream any more. Pure. */
export function withDivergence(channel: Channel, { previous }: Diverged): Channel {
  const isKept = ({ epoch, offset }: Message) => epoch !== previous.epoch || offset <= previous.offset;
  return { ...channel, messages: channel.messages.filter(isKept) };
}

export class ChannelStore {
  readonly #listeners = new Set<() => void>();
  readonly #subscription: Subscription | undefined;
  readonly #release: DeferredRelease;
  #limit = 1;
  #channel = NO_CHANNEL;

  constructor(client: Client, name: string, start: ChannelStart, onEnd: () => void) {
    this.#release = new DeferredRelease(() => {
      onEnd();
      this.#subscription?.unsubscribe();
    });
    const options = {
      ...(start.from ? { from: start.from } : {}),
      onMessage: (message: Message) => this.#set(withMessage(this.#channel, message, this.#limit)),
      onGap: (gap: Gap) => this.#set({ ...this.#channel, gaps: [...this.#channel.gaps, gap].slice(-GAPS_KEPT) }),
      onDiverged: (diverged: Diverged) => this.#set(withDivergence(this.#channel, diverged)),
      onError: (error: ClientError) => this.#end(error),
    };
    try {
      this.#subscription = client.subscribe(name, options);
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      this.#channel = { ...NO_CHANNEL, status: "ended", error };
      return;
    }
    void this.#begin(client, name, start, this.#subscription);
  }

  /** @param limit messages that this user wants to see; the store keeps the most that anybody asked for. */
  hold(limit: number): () => void {
    this.#limit = Math.max(this.#limit, limit);
    return this.#release.hold();
  }

  // Arrows: React calls them without `this`.
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };

  readonly snapshot = (): Channel => this.#channel;

  async #begin(client: Client, name: string, start: ChannelStart, subscription: Subscription): Promise<void> {
    try {
      const { position } = await subscription.subscribed();
      this.#set({ ...this.#channel, status: "subscribed" });
      const top = start.from?.offset ?? position.offset;
      if (start.history === 0 || top === 0) return;
      const from = { epoch: start.from?.epoch ?? position.epoch, offset: Math.max(0, top - start.history) };
      const { messages } = await history(client, name, from, top - from.offset);
      this.#set(withHistory(this.#channel, messages, this.#limit));
    } catch (error) {
      // History that cannot be had leaves a shorter list; a refused subscription was told by `onError`.
      if (error instanceof ClientError && this.#channel.status === "waiting") this.#end(error);
    }
  }

  #end(error: ClientError): void {
    this.#set({ ...this.#channel, status: "ended", error });
  }

  #set(channel: Channel): void {
    this.#channel = channel;
    for (const listener of this.#listeners) listener();
  }
}

const stores = new WeakMap<Client, Map<string, ChannelStore>>();

/** The store of a channel: components that name the same channel of the same client share one subscription. */
export function channelStoreOf(client: Client, name: string, start: ChannelStart): ChannelStore {
  const known = stores.get(client) ?? new Map<string, ChannelStore>();
  stores.set(client, known);
  const store = known.get(name);
  if (store) return store;
  const made = new ChannelStore(client, name, start, () => known.delete(name));
  known.set(name, made);
  return made;
}
