// Every channel of the client: where the application stands, what each socket owes, and what is handed over. Frames of all sockets
// come in here; the application gets each message once and in order. Not here: sockets, and the rules themselves (cursor.ts).

import type { GapReason, Position, PublicationFrame, ServerFrame, SubscribedFrame } from "@wscluster/protocol";
import { CLIENT_DEFAULTS } from "@wscluster/protocol";
import type { Cursor, Feed } from "./cursor.ts";
import { cursorAt, cursorDiverged, judgeDiverged, judgeGap, judgePublication } from "./cursor.ts";
import { ClientError } from "./errors.ts";
import type { Diagnostics } from "./events.ts";
import type { Message, Subscribed, SubscribeOptions, Subscription } from "./subscription.ts";
import { MessageQueue } from "./subscription.ts";

/** What one socket said about each channel. */
export type Feeds = Map<string, Feed>;

/** A socket as a source of channels. */
export type Source = {
  readonly feeds: Feeds;
  /** Positions that it was asked to continue from. */
  readonly asked: ReadonlyMap<string, Position>;
};

type Page = { readonly e: string; readonly items: readonly PublicationFrame[]; readonly more: boolean };

export interface SubscriptionsHost {
  /** Asks the server for the channel on the connection in use, if there is one. */
  sendSubscribe(channel: string, from: Position | undefined): void;
  sendUnsubscribe(channel: string): void;
  /** A page of history over the connection in use; rejects when that breaks. */
  fetch(channel: string, from: Position, n: number): Promise<Page>;
  /** What the application saw above `previous` is gone, and the life `epoch` began: publish again what was kept. */
  onLost(channel: string, previous: Position, epoch: string): void;
}

/** Frames kept while a hole before them is being filled; above it the rest is fetched as well. */
const MAX_HELD = 1_000;

type Held = { readonly frame: PublicationFrame; readonly epoch: string };

class Channel {
  readonly name: string;
  readonly options: SubscribeOptions;
  readonly queues = new Set<MessageQueue<Message>>();
  readonly held = new Map<number, Held>();
  cursor: Cursor | undefined;
  /** Highest offset that is known to exist or to be gone; above the cursor there is a hole to fill. */
  fillTo = 0;
  filling = false;
  ended = false;
  first: Subscribed | undefined;
  failure: ClientError | undefined;
  waiting: { resolve(value: Subscribed): void; reject(error: ClientError): void }[] = [];

  constructor(name: string, options: SubscribeOptions) {
    this.name = name;
    this.options = options;
    if (options.from) this.cursor = cursorAt(options.from);
  }

  get position(): Position | undefined {
    return this.cursor && { epoch: this.cursor.epoch, offset: this.cursor.offset };
  }
}

export class Subscriptions {
  readonly #channels = new Map<string, Channel>();
  readonly #host: SubscriptionsHost;
  readonly #diagnostics: Diagnostics;

  constructor(host: SubscriptionsHost, diagnostics: Diagnostics) {
    this.#host = host;
    this.#diagnostics = diagnostics;
  }

  names(): string[] {
    return [...this.#channels.keys()];
  }

  has(channel: string): boolean {
    return this.#channels.has(channel);
  }

  /** Position of the last message that the application got, or where it asked to begin. */
  position(channel: string): Position | undefined {
    return this.#channels.get(channel)?.position;
  }

  subscribe(name: string, options: SubscribeOptions): Subscription {
    if (this.#channels.has(name)) {
      throw new ClientError(
        "already-subscribed",
        `cannot subscribe to "${name}": this client is subscribed already; share that subscription`,
      );
    }
    const channel = new Channel(name, options);
    this.#channels.set(name, channel);
    const unsubscribe = (): void => this.#end(channel, undefined, true);
    const { signal } = options;
    if (signal?.aborted) unsubscribe();
    else {
      signal?.addEventListener("abort", unsubscribe, { once: true });
      this.#host.sendSubscribe(name, options.from);
    }
    return {
      channel: name,
      get position(): Position | undefined {
        return channel.position;
      },
      subscribed: () => this.#subscribed(channel),
      unsubscribe,
      [Symbol.asyncIterator]: () => this.#iterate(channel),
    };
  }

  /** The server refused the channel: it is over for the application. */
  refuse(name: string, error: ClientError): void {
    const channel = this.#channels.get(name);
    if (channel) this.#end(channel, error, false);
  }

  endAll(error: ClientError): void {
    for (const channel of [...this.#channels.values()]) this.#end(channel, error, false);
  }

  /** The connection broke: what was held for a hole is dropped, the next connection replays from the cursors. */
  forgetHeld(): void {
    for (const channel of this.#channels.values()) {
      channel.held.clear();
      channel.fillTo = 0;
    }
  }

  /** The socket of `feeds` is the connection in use now, without a replay: fetches what only the former one owed. */
  adopt(feeds: Feeds): void {
    for (const [name, feed] of feeds) {
      const channel = this.#channels.get(name);
      if (channel?.cursor && feed.lost === undefined && feed.offset > channel.cursor.offset)
        this.#fillUpTo(channel, feed.offset);
    }
  }

  /** True once `feeds` has shown everything of `channels` that the application has: nothing is missed if it alone goes on. */
  hasCaughtUp(feeds: Feeds, channels: readonly string[]): boolean {
    return channels.every((name) => {
      const channel = this.#channels.get(name);
      const feed = feeds.get(name);
      return !channel?.cursor || !feed || feed.lost !== undefined || feed.offset >= channel.cursor.offset;
    });
  }

  /** Handles a channel frame of any socket. `isPrimary`: the frame came over the connection in use. */
  receive(frame: ServerFrame, { feeds, asked }: Source, isPrimary: boolean): void {
    if (frame.t === "sub.ok") return this.#onSubscribed(frame, feeds, asked.get(frame.c));
    if (frame.t === "pub") return this.#onPublication(frame, feeds);
    if (frame.t === "gap") return this.#onGap(frame, feeds, isPrimary);
    if (frame.t === "diverged") return this.#onDiverged(frame, feeds);
    if (frame.t === "pub.ephemeral" && isPrimary) {
      const handler = this.#channels.get(frame.c)?.options.onEphemeral;
      if (handler) this.#diagnostics.run(() => handler({ channel: frame.c, publisher: frame.p, data: frame.d }));
    }
  }

  #onSubscribed(frame: SubscribedFrame, feeds: Feeds, asked: Position | undefined): void {
    const channel = this.#channels.get(frame.c);
    if (!channel) return;
    const top = { epoch: frame.e, offset: frame.o };
    feeds.set(frame.c, { ...(asked ?? top), ...(frame.recovered ? {} : { lost: frame.e }) });
    channel.cursor ??= cursorAt(top);
    if (channel.first) return;
    const first: Subscribed = { channel: frame.c, position: top, recovered: frame.recovered };
    channel.first = first;
    for (const waiting of channel.waiting.splice(0)) waiting.resolve(first);
    this.#diagnostics.run(() => channel.options.onSubscribed?.(first));
  }

  #onPublication(frame: PublicationFrame, feeds: Feeds): void {
    const channel = this.#channels.get(frame.c);
    let feed = feeds.get(frame.c);
    if (!channel?.cursor || !feed) return;
    if (feed.lost !== undefined) {
      // The server owed a word about the break and did not give it. Nothing may be passed over in silence.
      const why: GapReason = frame.o > channel.cursor.offset ? "history-expired" : "stream-lost";
      if (frame.o !== channel.cursor.offset + 1) {
        this.#onGap({ c: frame.c, e: frame.e ?? feed.lost, to: frame.o - 1, why }, feeds, true);
      }
      feed = { epoch: feed.lost, offset: frame.o - 1 };
    }
    const verdict = judgePublication(channel.cursor, feed, frame);
    feeds.set(frame.c, { epoch: frame.e ?? feed.epoch, offset: frame.o });
    switch (verdict.kind) {
      case "stale":
        this.#diagnostics.counters.duplicatesDropped += 1;
        return;
      case "hole":
        this.#hold(channel, { frame, epoch: verdict.epoch });
        return;
      case "forked": {
        const next = { epoch: verdict.epoch, offset: verdict.previous.offset };
        this.#diverge(channel, cursorDiverged(channel.cursor, next), verdict.previous);
        this.#deliver(channel, frame, verdict.epoch);
        return;
      }
      case "deliver":
        this.#deliver(channel, frame, verdict.epoch);
        if (channel.held.size > 0) this.#drain(channel);
    }
  }

  #onGap(frame: { c: string; e: string; to: number; why: GapReason }, feeds: Feeds, isPrimary: boolean): void {
    const channel = this.#channels.get(frame.c);
    const feed = feeds.get(frame.c);
    if (!channel?.cursor || !feed) return;
    feeds.set(frame.c, { epoch: frame.e, offset: frame.to });
    const verdict = judgeGap(channel.cursor, feed, frame);
    if (verdict.kind === "stale") return;
    if (!isPrimary && frame.why === "history-expired") {
      // The old socket may still bring these messages: no reason to call them lost. `adopt` looks after what it did not bring.
      return;
    }
    const { epoch } = channel.cursor;
    channel.cursor = verdict.cursor;
    this.#tellGap(channel, frame.e, verdict.from, verdict.to, frame.why);
    // Nothing of a life that the store does not know is left in it.
    if (frame.why === "stream-lost" && epoch !== frame.e) {
      this.#host.onLost(channel.name, { epoch, offset: 0 }, frame.e);
    }
    this.#drain(channel);
  }

  #onDiverged(frame: Extract<ServerFrame, { t: "diverged" }>, feeds: Feeds): void {
    const channel = this.#channels.get(frame.c);
    if (!channel?.cursor) return;
    const verdict = judgeDiverged(channel.cursor, frame);
    // The application may have seen nothing of what was lost and have published it all the same.
    if (verdict.kind === "diverged") this.#diverge(channel, verdict.cursor, verdict.previous);
    else this.#host.onLost(frame.c, frame.prev, frame.e);
    // A life that ended where the socket stands: the first message of the next one names it.
    if (feeds.get(frame.c)?.offset !== frame.o) feeds.set(frame.c, { epoch: frame.e, offset: frame.o });
  }

  #diverge(channel: Channel, cursor: Cursor, previous: Position): void {
    channel.cursor = cursor;
    channel.held.clear();
    channel.fillTo = 0;
    const position = { epoch: cursor.epoch, offset: cursor.offset };
    this.#diagnostics.counters.diverged += 1;
    this.#diagnostics.emit("diverged", { channel: channel.name, position, previous });
    this.#diagnostics.run(() => channel.options.onDiverged?.({ channel: channel.name, previous, position }));
    this.#host.onLost(channel.name, previous, position.epoch);
  }

  #tellGap(channel: Channel, epoch: string, from: number, to: number, why: GapReason): void {
    const gap = { channel: channel.name, epoch, from, to, why };
    this.#diagnostics.counters.gaps += 1;
    this.#diagnostics.emit("gap", gap);
    this.#diagnostics.run(() => channel.options.onGap?.(gap));
  }

  #deliver(channel: Channel, frame: PublicationFrame, epoch: string): void {
    const { cursor } = channel;
    channel.cursor = cursorAt({ epoch, offset: frame.o }, cursor);
    // A new life: what its predecessor had above is gone, also what we published and nobody saw yet.
    if (cursor && cursor.epoch !== epoch) {
      this.#host.onLost(channel.name, { epoch: cursor.epoch, offset: frame.o - 1 }, epoch);
    }
    channel.held.delete(frame.o);
    this.#diagnostics.counters.received += 1;
    const message = messageOf(frame, epoch);
    const { onMessage } = channel.options;
    if (onMessage) this.#diagnostics.run(() => onMessage(message));
    for (const queue of channel.queues) queue.push(message);
  }

  // ---- holes ------------------------------------------------------------------------------------------------------------

  #hold(channel: Channel, held: Held): void {
    if (channel.held.size < MAX_HELD) channel.held.set(held.frame.o, held);
    this.#fillUpTo(channel, held.frame.o);
  }

  #fillUpTo(channel: Channel, offset: number): void {
    channel.fillTo = Math.max(channel.fillTo, offset);
    if (channel.filling || !channel.cursor) return;
    channel.filling = true;
    this.#diagnostics.counters.holes += 1;
    this.#diagnostics.emit("hole", { channel: channel.name, after: channel.cursor.offset, seen: offset });
    void this.#fill(channel).finally(() => {
      channel.filling = false;
    });
  }

  async #fill(channel: Channel): Promise<void> {
    while (hasHole(channel) && channel.position) {
      const asked: Position = channel.position;
      let page: Page;
      try {
        page = await this.#host.fetch(channel.name, asked, CLIENT_DEFAULTS.pageSize);
      } catch {
        // The connection broke or the store is away: a new connection replays from the cursor, the next frame asks again.
        channel.held.clear();
        channel.fillTo = 0;
        return;
      }
      if (hasHole(channel)) this.#applyPage(channel, page, asked);
    }
  }

  #applyPage(channel: Channel, page: Page, asked: Position): void {
    const [first] = page.items;
    if (first && channel.cursor && first.o <= asked.offset && channel.cursor.offset === asked.offset) {
      // History goes on below us: what we saw above is not part of the stream any more.
      const { fillTo } = channel;
      const previous = { epoch: asked.epoch, offset: first.o - 1 };
      const next = { epoch: first.e ?? page.e, offset: first.o - 1 };
      this.#diverge(channel, cursorDiverged(channel.cursor, next), previous);
      channel.fillTo = fillTo;
    }
    let epoch = page.e;
    for (const item of page.items) {
      epoch = item.e ?? epoch;
      if (channel.ended || !channel.cursor) return;
      if (item.o === channel.cursor.offset + 1) this.#deliver(channel, item, epoch);
    }
    this.#drain(channel);
    const { cursor } = channel;
    if (!cursor || !hasHole(channel) || cursor.offset !== asked.offset) return;
    // Nothing of what is missing is there any more: go on at the first message that is, or after what is known to be gone.
    const there = [...channel.held.keys(), ...page.items.map((item) => item.o)].filter((o) => o > cursor.offset);
    const to = Math.min(channel.fillTo, ...there.map((o) => o - 1));
    const nextEpoch = channel.held.get(to + 1)?.epoch ?? page.e;
    channel.cursor = cursorAt({ epoch: nextEpoch, offset: to }, cursor);
    if (to > cursor.offset) this.#tellGap(channel, nextEpoch, cursor.offset, to, "history-expired");
    this.#drain(channel);
  }

  #drain(channel: Channel): void {
    while (!channel.ended && channel.cursor) {
      const held = channel.held.get(channel.cursor.offset + 1);
      if (!held) break;
      this.#deliver(channel, held.frame, held.epoch);
    }
    const reached = channel.cursor?.offset ?? 0;
    for (const offset of channel.held.keys()) if (offset <= reached) channel.held.delete(offset);
  }

  // ---- the application's side -------------------------------------------------------------------------------------------

  #subscribed(channel: Channel): Promise<Subscribed> {
    if (channel.first) return Promise.resolve(channel.first);
    if (channel.ended) return Promise.reject(channel.failure ?? endedError(channel.name));
    return new Promise((resolve, reject) => channel.waiting.push({ resolve, reject }));
  }

  #iterate(channel: Channel): AsyncGenerator<Message, void> {
    const queue = new MessageQueue<Message>();
    channel.queues.add(queue);
    if (channel.ended) queue.end(iterationError(channel));
    return queue.read(() => void channel.queues.delete(queue));
  }

  #end(channel: Channel, error: ClientError | undefined, tellServer: boolean): void {
    if (channel.ended) return;
    channel.ended = true;
    channel.failure = error;
    channel.held.clear();
    this.#channels.delete(channel.name);
    for (const waiting of channel.waiting.splice(0)) waiting.reject(error ?? endedError(channel.name));
    for (const queue of channel.queues) queue.end(iterationError(channel));
    const { onError } = channel.options;
    if (error && error.code !== "closed" && onError) this.#diagnostics.run(() => onError(error));
    if (tellServer) this.#host.sendUnsubscribe(channel.name);
  }
}

/** A client that was closed on purpose ends loops quietly. */
function iterationError({ failure }: Channel): ClientError | undefined {
  return failure?.code === "closed" ? undefined : failure;
}

function hasHole(channel: Channel): boolean {
  return !channel.ended && channel.cursor !== undefined && channel.cursor.offset < channel.fillTo;
}

function endedError(channel: string): ClientError {
  return new ClientError("closed", `cannot wait for "${channel}": the subscription was ended`);
}

export function messageOf(frame: PublicationFrame, epoch: string): Message {
  return {
    channel: frame.c,
    offset: frame.o,
    epoch,
    publisher: frame.p,
    timestamp: frame.ts / 1_000,
    data: frame.d,
  };
}
