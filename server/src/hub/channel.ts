// One channel on this pod: its top, ring and subscribers. A frame goes live to a subscriber iff its offset is the subscriber's
// cursor + 1; any other subscriber lags and is fed by pages. Not here: reading the store (hub.ts), sockets.

import type { GapReason, Position } from "@wscluster/protocol";
import type { Life, Page, Publication, StreamTop } from "../broker/port.ts";
import { endOf, lifeAfter } from "../streams/continuation.ts";
import { divergedFrame, publicationFrame } from "../streams/frames.ts";
import type { Tracing } from "../telemetry/tracing.ts";
import { blockOf } from "../transport/block.ts";
import { textFrame } from "../transport/wire-frame.ts";
import { PLAIN_TRAITS, traitsFor } from "./namespaces.ts";
import type { ChannelTraits, Namespace } from "./namespaces.ts";
import { Ring } from "./ring.ts";
import type { Subscriber, Subscription } from "./subscription.ts";

const RING_FRAMES = 128;
const RING_BYTES = 256 * 1024;
/** Publications kept while a hole is being read; more are dropped, since the reading finds them too. */
const EARLY_LIMIT = 1_024;

export type Verdict = "taken" | "old" | "hole";

export type ChannelHooks = {
  readonly now: () => number;
  /** Calls back once, at the end of this tick. */
  readonly markDirty: (channel: Channel) => void;
  /** Publications of one turn: handed to subscribers, and kept back from those that read too slowly. */
  readonly onDelivered: (count: number, failed: number) => void;
  readonly onGap: (why: GapReason | "diverged", count: number) => void;
  /** Bytes that a compressed block spared one subscriber, told per flush for all of them. */
  readonly onSaved?: (bytes: number) => void;
  /** Sampled messages were in the turn. */
  readonly onTraced?: Tracing["deliver"];
  readonly namespaces?: () => readonly Namespace[] | undefined;
};

export class Channel {
  readonly stream: string;
  readonly name: string;
  readonly nameJson: string;
  state: "opening" | "open" | "healing" = "opening";
  epoch = "";
  top = 0;
  lives: readonly Life[] = [];
  /** Rises when the ring and cursors were cut back: a page read before is void. */
  cuts = 0;
  /** Publications handed to subscribers since somebody last set it back. */
  delivered = 0;
  readonly ring = new Ring(RING_FRAMES, RING_BYTES);
  readonly live: Subscription[] = [];
  readonly lagging = new Set<Subscription>();
  early: Publication[] = [];
  /** When the last subscriber left; 0 while there are some. */
  emptySinceMs = 0;
  /** Subscriptions on their way in. */
  attaching = 0;
  /** A comparison with the store failed: do it again. */
  suspect = false;
  /** When the store was last asked for this stream. */
  readAtMs = 0;
  /** Repairs in a row that left a hole. */
  repairs = 0;
  opened: Promise<void> | undefined;
  healed: Promise<void> | undefined;
  readonly pages = new Map<number, Promise<Page>>();
  #pending: Buffer[] = [];
  /** Of sampled messages in it, and when they came. */
  #traces: (readonly [trace: string, atMs: number])[] = [];
  /** Publications since the last flush; more than are pending where only the newest is kept. */
  #pendingCount = 0;
  #flushedAtMs = 0;
  /** Until what gathers leaves. */
  #waiting: NodeJS.Timeout | undefined;
  #namespaces: readonly Namespace[] | undefined;
  #traits: ChannelTraits = PLAIN_TRAITS;
  readonly #hooks: ChannelHooks;
  readonly #onGap: ChannelHooks["onGap"];

  constructor(stream: string, name: string, hooks: ChannelHooks) {
    this.stream = stream;
    this.name = name;
    this.nameJson = JSON.stringify(name);
    this.#hooks = hooks;
    this.#onGap = hooks.onGap;
  }

  get streamTop(): StreamTop {
    return { epoch: this.epoch, top: this.top, lives: this.lives };
  }

  get position(): Position {
    return { epoch: this.epoch, offset: this.top };
  }

  get size(): number {
    return this.live.length + this.lagging.size + this.attaching;
  }

  /** Takes the next publication; anything that does not follow on is told, never guessed. */
  accept(publication: Publication): Verdict {
    const { epoch, offset, prev } = publication;
    if (epoch === this.epoch) {
      if (offset <= this.top) return "old";
      if (offset > this.top + 1) return "hole";
      this.#append(publication);
      return "taken";
    }
    // A primary that was replaced may still be heard for a moment; its life is over.
    if (this.lives.some(([former]) => former === epoch)) return "old";
    if (!prev || prev.epoch !== this.epoch || prev.offset > this.top) return "hole";
    this.enterLife(epoch, prev);
    this.#append(publication);
    return "taken";
  }

  /** Takes a publication that was read from the store, whose order of lives is the truth. */
  acceptRead(publication: Publication): void {
    if (publication.offset === this.top + 1) this.#append(publication);
  }

  /** Keeps what was read up to the top when the channel was opened, for those who go on before it. */
  keepRead(items: readonly Publication[]): void {
    if (items.at(-1)?.offset !== this.top) return;
    for (const item of items) this.ring.push(item.offset, publicationFrame(this.nameJson, item));
  }

  /** A new life began after `prev`, which is a position of the present one: what lies above it was lost by the store. */
  enterLife(epoch: string, prev: Position): void {
    this.flush();
    this.lives = [...this.lives, [prev.epoch, prev.offset] as const].slice(-8);
    this.epoch = epoch;
    if (prev.offset >= this.top) return;
    this.cuts += 1;
    const told = divergedFrame(this.name, epoch, prev);
    for (const subscription of this.live) subscription.subscriber.push(told);
    let count = this.live.length;
    for (const subscription of this.lagging) {
      if (subscription.cursor <= prev.offset) continue;
      subscription.cursor = prev.offset;
      subscription.life = epoch;
      subscription.subscriber.push(told);
      count += 1;
    }
    this.#onGap("diverged", count);
    this.ring.truncate(prev.offset);
    this.top = prev.offset;
  }

  /**
   * A life ended where this subscriber stands, and no message of the next one says so: it may have published there what the store
   * then lost, and has to publish it again.
   */
  tellLife(subscription: Subscription, life: string): void {
    if (life === this.epoch || endOf(life, this.streamTop) !== this.top) return;
    this.flush();
    const { subscriber } = subscription;
    if (subscription.lagging) {
      // It fell behind just now: it is told when it stands where the life ended.
      subscription.life = life;
      return;
    }
    subscriber.push(divergedFrame(this.name, lifeAfter(life, this.streamTop), { epoch: life, offset: this.top }));
  }

  /** The publications between the channel's top and `to` cannot be had any more. */
  skip(to: number, now: StreamTop, why: GapReason): void {
    this.flush();
    if (this.live.length > 0) {
      const told = this.gapFrame(now.epoch, this.top, to, why);
      for (const subscription of this.live) subscription.subscriber.push(told);
      this.#onGap(why, this.live.length);
    }
    if (why === "stream-lost") {
      // Offsets of the lost life mean nothing in this one, so the cursors of those that lag cannot stay.
      this.cuts += 1;
      for (const subscription of this.lagging) {
        subscription.subscriber.push(this.gapFrame(now.epoch, subscription.cursor, to, why));
        subscription.cursor = to;
        // Nothing is left to be told of the life that it began to lag in.
        subscription.life = now.epoch;
      }
      this.#onGap(why, this.lagging.size);
    }
    this.ring.clear();
    this.epoch = now.epoch;
    this.lives = now.lives;
    this.top = to;
  }

  gapFrame(epoch: string, from: number, to: number, why: GapReason): Buffer {
    return textFrame(JSON.stringify({ t: "gap", c: this.name, e: epoch, from, to, why }));
  }

  countGap(why: GapReason | "diverged"): void {
    this.#onGap(why, 1);
  }

  keepEarly(publication: Publication): void {
    if (this.early.length < EARLY_LIMIT) this.early.push(publication);
  }

  /** How it is delivered, by the settings in force. */
  get traits(): ChannelTraits {
    const namespaces = this.#hooks.namespaces?.();
    if (namespaces !== this.#namespaces) {
      this.#namespaces = namespaces;
      this.#traits = traitsFor(namespaces, this.name);
    }
    return this.#traits;
  }

  #append(publication: Publication): void {
    const frame = publicationFrame(this.nameJson, publication);
    this.top = publication.offset;
    this.ring.push(publication.offset, frame);
    if (this.live.length === 0) return;
    const { conflateMs, batchMs, batchSize } = this.traits;
    if (publication.trace !== undefined) this.#traces.push([publication.trace, this.#hooks.now()]);
    if (this.#pendingCount === 0) this.#plan(conflateMs, batchMs);
    this.#pendingCount += 1;
    if (conflateMs > 0) this.#pending = [frame];
    else this.#pending.push(frame);
    if (this.#waiting && conflateMs === 0 && this.#pendingCount >= batchSize) this.#markDirty();
  }

  #plan(conflateMs: number, batchMs: number): void {
    const waitMs = conflateMs === 0 ? batchMs : this.#flushedAtMs + conflateMs - this.#hooks.now();
    // A clock that steps back must not stop the channel.
    if (waitMs <= 0 || waitMs > Math.max(conflateMs, batchMs)) this.#hooks.markDirty(this);
    else this.#waiting = setTimeout(() => this.#markDirty(), waitMs).unref();
  }

  #markDirty(): void {
    this.#stopWaiting();
    this.#hooks.markDirty(this);
  }

  #stopWaiting(): void {
    clearTimeout(this.#waiting);
    this.#waiting = undefined;
  }

  /** Hands the frames of this tick to all live subscribers, as one shared buffer. */
  flush(): void {
    const count = this.#pendingCount;
    if (count === 0) return;
    const before = this.top - count;
    const frames = this.#pending;
    const sent = frames.length;
    // Only the newest is there: what was left out is told in the same write.
    if (sent < count) frames.unshift(this.gapFrame(this.epoch, before, this.top - sent, "conflated"));
    const chunk = frames.length === 1 && frames[0] ? frames[0] : Buffer.concat(frames);
    this.#pending = [];
    this.#pendingCount = 0;
    this.#stopWaiting();
    const { conflateMs, batchMs, priority } = this.traits;
    if (conflateMs > 0) this.#flushedAtMs = this.#hooks.now();
    const mark = priority === "critical" ? priority : "normal";
    const { live } = this;
    let [delivered, failed, saved] = [0, 0, 0];
    // Made for the first who reads it, and the same bytes for all.
    let block: Buffer | undefined;
    let mayBlock = batchMs > 0;
    // Backwards, because a subscriber that falls behind is taken out of the list by moving the last one into its place.
    for (let index = live.length - 1; index >= 0; index -= 1) {
      const subscription = live[index];
      if (!subscription) continue;
      if (subscription.subscriber.isCongested(mark)) {
        this.#fallBehind(subscription, before);
        failed += sent;
        continue;
      }
      const { subscriber } = subscription;
      if (mayBlock && subscriber.takesBlocks) {
        block ??= blockOf(chunk);
        mayBlock = block !== undefined;
      }
      if (block && subscriber.takesBlocks) {
        subscriber.push(block);
        saved += chunk.length - block.length;
      } else subscriber.push(chunk);
      subscriber.deliveries += sent;
      delivered += sent;
    }
    if (saved > 0) this.#hooks.onSaved?.(saved);
    this.delivered += delivered;
    this.#hooks.onDelivered(delivered, failed);
    if (this.#traces.length > 0) this.#tellTraces(delivered, failed);
  }

  #tellTraces(delivered: number, failed: number): void {
    const traces = this.#traces;
    this.#traces = [];
    const startedAtMs = traces[0]?.[1] ?? this.#hooks.now();
    this.#hooks.onTraced?.(
      this.stream,
      traces.map(([trace]) => trace),
      { startedAtMs, delivered, failed },
    );
  }

  /** One that lags behind a channel of newest values goes on with the newest: nobody reads what was left out. */
  jump(subscription: Subscription): void {
    const to = this.top - 1;
    if (this.traits.conflateMs === 0 || this.state !== "open" || subscription.cursor >= to) return;
    subscription.subscriber.push(this.gapFrame(this.epoch, subscription.cursor, to, "conflated"));
    subscription.cursor = to;
  }

  /** This many older publications were handed to one that lags. */
  caughtUp(subscriber: Subscriber, count: number): void {
    subscriber.deliveries += count;
    this.delivered += count;
    this.#hooks.onDelivered(count, 0);
  }

  #fallBehind(subscription: Subscription, cursor: number): void {
    this.#takeOut(subscription);
    subscription.life = this.epoch;
    this.addLagging(subscription, cursor);
  }

  addLagging(subscription: Subscription, cursor: number): void {
    subscription.cursor = cursor;
    subscription.lagging = true;
    this.lagging.add(subscription);
    subscription.subscriber.lagging.add(subscription);
  }

  /** The subscription stands at the top: from here on it gets frames as they come. */
  addLive(subscription: Subscription): void {
    // Frames of this tick that are not out yet lie at or below the top: the newcomer has them already.
    this.flush();
    this.lagging.delete(subscription);
    subscription.subscriber.lagging.delete(subscription);
    subscription.lagging = false;
    if (subscription.life !== undefined) this.tellLife(subscription, subscription.life);
    subscription.life = undefined;
    subscription.index = this.live.length;
    this.live.push(subscription);
    const { onLive } = subscription;
    subscription.onLive = undefined;
    onLive?.();
  }

  remove(subscription: Subscription, nowMs: number): void {
    if (subscription.gone) return;
    subscription.gone = true;
    this.lagging.delete(subscription);
    subscription.subscriber.lagging.delete(subscription);
    this.#takeOut(subscription);
    if (this.size === 0) this.emptySinceMs = nowMs;
  }

  #takeOut(subscription: Subscription): void {
    const { index } = subscription;
    if (index < 0) return;
    const last = this.live.pop();
    if (last && last !== subscription) {
      this.live[index] = last;
      last.index = index;
    }
    subscription.index = -1;
  }

  newSubscription(subscriber: Subscriber, onLive?: () => void): Subscription {
    this.emptySinceMs = 0;
    return {
      subscriber,
      channel: this,
      index: -1,
      cursor: 0,
      lagging: false,
      gone: false,
      feeding: false,
      life: undefined,
      onLive,
    };
  }
}
