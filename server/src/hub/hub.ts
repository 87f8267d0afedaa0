// All channels of this pod: opening, healing holes, feeding those that lag. Not here: sockets, sessions, the store's commands.

import { PROBE_IDENTITY, WIRE_DEFAULTS } from "@wscluster/protocol";
import type { Position } from "@wscluster/protocol";
import type { Broker, HeldStreams, Page, Publication } from "../broker/port.ts";
import { continuationOf } from "../streams/continuation.ts";
import { divergedFrame, ephemeralFrame, publicationFrame } from "../streams/frames.ts";
import { Channel } from "./channel.ts";
import type { ChannelHooks } from "./channel.ts";
import { createGate } from "./gate.ts";
import type { Subscriber, Subscription } from "./subscription.ts";

/** A channel without members stays subscribed this long: reloads and moves come back to it. */
const LINGER_MS = 5_000;
/** Most reads of the store at once for catching up, so that live traffic goes first. */
const READS_AT_ONCE = 16;
const MAX_REPAIRS = 3;
/** A quiet channel is read this often, which renews its meta: else offsets would start again under its subscribers. */
const RENEW_MS = 6 * 3_600_000;

export type HubHooks = ChannelHooks & {
  /** Unnumbered messages that were kept from subscribers that read too slowly. */
  readonly onDropped?: (count: number) => void;
};

export type Announcement = { readonly epoch: string; readonly top: number; readonly recovered: boolean };

export class Hub implements HeldStreams {
  readonly channels = new Map<string, Channel>();
  readonly #broker: Broker;
  readonly #hooks: HubHooks;
  readonly #gate = createGate(READS_AT_ONCE);

  constructor(broker: Broker, hooks: HubHooks) {
    this.#broker = broker;
    this.#hooks = hooks;
  }

  /**
   * Subscribes. `announce` is called in the moment in which the subscription takes effect, before any frame of the channel.
   * Rejects with `BrokerUnavailable` when the store does not answer; nothing is kept then.
   */
  async attach(
    subscriber: Subscriber,
    stream: string,
    name: string,
    from: Position | undefined,
    announce: (announcement: Announcement) => void,
    onLive?: () => void,
  ): Promise<Subscription> {
    const channel = this.#channelOf(stream, name);
    const subscription = channel.newSubscription(subscriber, onLive);
    channel.attaching += 1;
    try {
      await this.#open(channel, from);
      await this.#place(channel, subscription, from, announce);
      channel.attaching -= 1;
    } catch (error) {
      channel.attaching -= 1;
      channel.remove(subscription, this.#hooks.now());
      throw error;
    }
    return subscription;
  }

  async #place(
    channel: Channel,
    subscription: Subscription,
    from: Position | undefined,
    announce: (announcement: Announcement) => void,
  ): Promise<void> {
    if (!from) {
      announce({ epoch: channel.epoch, top: channel.top, recovered: true });
      channel.addLive(subscription);
      return;
    }
    // The client may have been further than this pod: what looks like a divergence is believed only after asking the store.
    if (continuationOf(from, channel.streamTop).kind !== "continue") await this.#healAnew(channel);
    const known = continuationOf(from, channel.streamTop);
    const first =
      known.kind === "continue" && known.after < channel.top && !channel.ring.covers(known.after)
        ? await this.#page(channel, known.after)
        : undefined;
    // Anything may have happened while reading, so the position is judged again, now without a pause.
    const continuation = continuationOf(from, channel.streamTop);
    const { epoch, top } = channel;
    if (continuation.kind === "unknown") {
      announce({ epoch, top, recovered: false });
      subscription.subscriber.push(channel.gapFrame(epoch, from.offset, top, "stream-lost"));
      channel.countGap("stream-lost");
      channel.addLive(subscription);
      return;
    }
    if (continuation.kind === "diverged") {
      const { prev, next } = continuation;
      announce({ epoch, top, recovered: false });
      subscription.subscriber.push(divergedFrame(channel.name, next, prev));
      subscription.life = next;
      channel.countGap("diverged");
      this.#resumeAt(channel, subscription, prev.offset);
      return;
    }
    const { after } = continuation;
    const page = known.kind === "continue" && known.after === after ? first : undefined;
    const whole = !first || first.items[0]?.offset === after + 1;
    announce({ epoch, top, recovered: whole });
    subscription.life = from.epoch;
    this.#resumeAt(channel, subscription, after, page);
  }

  /** @param page what follows `cursor`, where it was read just now. */
  #resumeAt(channel: Channel, subscription: Subscription, cursor: number, page?: Page): void {
    if (cursor === channel.top) channel.addLive(subscription);
    else {
      channel.addLagging(subscription, cursor);
      void this.feed(subscription, page);
    }
  }

  detach(subscription: Subscription): void {
    subscription.channel.remove(subscription, this.#hooks.now());
  }

  /** The subscriber's queue is short again. */
  onDrained(subscriber: Subscriber): void {
    for (const subscription of subscriber.lagging) void this.feed(subscription);
  }

  /**
   * Feeds pages until the subscription stands at the top, its queue is full, or the store is away.
   * @param first what follows its cursor, read in this very moment.
   */
  async feed(subscription: Subscription, first?: Page): Promise<void> {
    if (subscription.feeding) return;
    subscription.feeding = true;
    const { channel, subscriber } = subscription;
    let page = first;
    try {
      while (subscription.lagging && !subscription.gone && subscriber.isDrained()) {
        if (channel.healed) {
          page = undefined;
          await channel.healed;
          // It may be gone by now, and another of the same subscriber stand in its place: both would feed it.
          continue;
        }
        if (channel.state === "open" && subscription.cursor === channel.top) {
          channel.addLive(subscription);
          return;
        }
        channel.jump(subscription);
        if (channel.ring.covers(subscription.cursor)) {
          const frames = channel.ring.after(subscription.cursor, WIRE_DEFAULTS.pageSize);
          for (const frame of frames) subscriber.push(frame);
          subscription.cursor += frames.length;
          channel.caughtUp(subscriber, frames.length);
          continue;
        }
        const read = page;
        page = undefined;
        if (!(await this.#feedPage(channel, subscription, read))) return;
      }
    } catch {
      // The store is away: `resync` or the next drained queue goes on from the same cursor.
    } finally {
      subscription.feeding = false;
    }
  }

  /** False when the page brought nothing although the channel is ahead: the poll goes on from there. */
  async #feedPage(channel: Channel, subscription: Subscription, read: Page | undefined): Promise<boolean> {
    const { cuts } = channel;
    const before = subscription.cursor;
    const page = read ?? (await this.#page(channel, before));
    if (subscription.gone || channel.cuts !== cuts) return true;
    if (page.top.epoch !== channel.epoch) {
      await this.#healAnew(channel);
      return true;
    }
    for (const item of page.items) {
      if (item.offset > channel.top && channel.state === "open") this.#take(channel, item);
    }
    const { subscriber } = subscription;
    const firstOffset = page.items[0]?.offset ?? Math.min(page.top.top, channel.top) + 1;
    if (firstOffset > subscription.cursor + 1) {
      subscriber.push(channel.gapFrame(channel.epoch, subscription.cursor, firstOffset - 1, "history-expired"));
      channel.countGap("history-expired");
      subscription.cursor = firstOffset - 1;
    }
    let delivered = 0;
    for (const item of page.items) {
      if (item.offset !== subscription.cursor + 1 || item.offset > channel.top) continue;
      subscriber.push(publicationFrame(channel.nameJson, item));
      subscription.cursor = item.offset;
      delivered += 1;
    }
    channel.caughtUp(subscriber, delivered);
    if (subscription.cursor > before) return true;
    channel.suspect = true;
    return false;
  }

  /** A publication from the store, in the order of the wire. */
  onPublication(publication: Publication): void {
    const channel = this.channels.get(publication.stream);
    if (channel) this.#take(channel, publication);
  }

  onEphemeral(stream: string, user: string, data: Buffer): void {
    const channel = this.channels.get(stream);
    if (!channel || channel.live.length === 0) return;
    const frame = ephemeralFrame(channel.nameJson, user, data);
    const mark = channel.traits.priority === "low" ? "low" : "normal";
    let dropped = 0;
    for (const { subscriber } of channel.live) {
      if (subscriber.isCongested(mark)) dropped += 1;
      else subscriber.push(frame);
    }
    if (dropped > 0) this.#hooks.onDropped?.(dropped);
  }

  #take(channel: Channel, publication: Publication): void {
    if (channel.state !== "open") {
      channel.keepEarly(publication);
      return;
    }
    if (channel.accept(publication) !== "hole") return;
    channel.keepEarly(publication);
    void this.#heal(channel).catch(() => {});
  }

  /** Compares the given channels with the store and reads what is missing. Those that cannot be read stay as they are. */
  async verify(streams: Iterable<string>): Promise<void> {
    const healing: Promise<void>[] = [];
    for (const stream of streams) {
      const channel = this.channels.get(stream);
      if (channel && channel.state !== "opening") healing.push(this.#healAnew(channel).catch(() => {}));
    }
    await Promise.all(healing);
    for (const stream of streams) {
      for (const subscription of this.channels.get(stream)?.lagging ?? []) void this.feed(subscription);
    }
  }

  /** Channels to compare though nothing points at them: the last comparison failed, or it was so long ago that the meta would expire. */
  suspects(): readonly string[] {
    const before = this.#hooks.now() - RENEW_MS;
    const suspects: string[] = [];
    for (const channel of this.channels.values()) {
      if (channel.suspect || channel.readAtMs < before) suspects.push(channel.stream);
    }
    return suspects;
  }

  streams(): Iterable<string> {
    return this.channels.keys();
  }

  positionOf(stream: string): Position | undefined {
    const channel = this.channels.get(stream);
    return channel && channel.state !== "opening" ? channel.position : undefined;
  }

  /** Gives up channels that nobody has used for a while. */
  sweep(): void {
    const before = this.#hooks.now() - LINGER_MS;
    for (const [stream, channel] of this.channels) {
      if (channel.size > 0 || channel.emptySinceMs === 0 || channel.emptySinceMs > before) continue;
      this.channels.delete(stream);
      this.#broker.unsubscribe(stream);
    }
  }

  #channelOf(stream: string, name: string): Channel {
    const known = this.channels.get(stream);
    if (known) return known;
    // A probe's deliveries are in nobody's numbers.
    const isProbe = stream.startsWith(`${PROBE_IDENTITY.tenant}/`);
    const channel = new Channel(stream, name, isProbe ? { ...this.#hooks, onDelivered: () => {} } : this.#hooks);
    this.channels.set(stream, channel);
    return channel;
  }

  /** @param from where the first subscriber goes on: what follows is read along, so that it costs no question of its own. */
  #open(channel: Channel, from: Position | undefined): Promise<void> {
    channel.opened ??= this.#openNow(channel, from).catch((error: unknown) => {
      channel.opened = undefined;
      if (channel.size === 0) channel.emptySinceMs = this.#hooks.now();
      throw error;
    });
    return channel.opened;
  }

  // Subscribe first, read then: a publication between the two is heard, kept in `early`, and compared with the top that was read.
  async #openNow(channel: Channel, from: Position | undefined): Promise<void> {
    await this.#broker.subscribe(channel.stream);
    const after = from?.offset ?? Number.MAX_SAFE_INTEGER - 1;
    const { top, items } = await this.#broker.read(channel.stream, after, from ? WIRE_DEFAULTS.pageSize : 1);
    channel.epoch = top.epoch;
    channel.top = top.top;
    channel.lives = top.lives;
    channel.keepRead(items);
    channel.readAtMs = this.#hooks.now();
    channel.state = "open";
    this.#takeEarly(channel);
  }

  #takeEarly(channel: Channel): void {
    const early = channel.early;
    channel.early = [];
    for (const publication of early) {
      if (channel.state !== "open") channel.keepEarly(publication);
      else if (channel.accept(publication) === "hole") {
        // Still a hole after reading up to the store's top: a second one, or a publication that the store has lost. The latter never
        // heals, so after a few rounds it is left to the poll.
        if (publication.epoch !== channel.epoch || channel.repairs >= MAX_REPAIRS) continue;
        channel.repairs += 1;
        channel.keepEarly(publication);
        void this.#heal(channel).catch(() => {});
      }
    }
    if (channel.state === "open") channel.repairs = 0;
  }

  /** Reads on from the channel's top until it is the store's, telling everybody what was lost. One at a time per channel. */
  #heal(channel: Channel): Promise<void> {
    channel.healed ??= this.#healNow(channel).then(
      () => {
        channel.healed = undefined;
        channel.suspect = false;
        channel.readAtMs = this.#hooks.now();
        channel.state = "open";
        this.#takeEarly(channel);
      },
      (error: unknown) => {
        channel.healed = undefined;
        channel.suspect = true;
        channel.early = [];
        channel.state = "open";
        throw error;
      },
    );
    return channel.healed;
  }

  /** A repair that reads from now on: one that is under way may have read before what the caller knows of was stored. */
  async #healAnew(channel: Channel): Promise<void> {
    await channel.healed?.catch(() => {});
    await this.#heal(channel);
  }

  async #healNow(channel: Channel): Promise<void> {
    channel.state = "healing";
    let former = channel.epoch;
    for (;;) {
      const page = await this.#broker.read(channel.stream, channel.top, WIRE_DEFAULTS.pageSize);
      const { top } = page;
      const continuation = continuationOf(channel.position, top);
      if (continuation.kind === "unknown") {
        channel.skip(top.top, top, "stream-lost");
        return;
      }
      if (continuation.kind === "diverged") {
        channel.enterLife(continuation.next, continuation.prev);
        channel.lives = top.lives;
        former = continuation.next;
        // What follows the cut was not in this page: it was read after the old top.
        continue;
      }
      // A position that can be continued is as good in the present life as in its own.
      channel.epoch = top.epoch;
      channel.lives = top.lives;
      const before = (page.items[0]?.offset ?? top.top + 1) - 1;
      if (before > channel.top) channel.skip(before, top, "history-expired");
      for (const item of page.items) channel.acceptRead(item);
      if (channel.top < top.top && page.items.length > 0) continue;
      // A copy: who turns out to be congested leaves the list.
      for (const subscription of [...channel.live]) channel.tellLife(subscription, former);
      return;
    }
  }

  #page(channel: Channel, cursor: number): Promise<Page> {
    const running = channel.pages.get(cursor);
    if (running) return running;
    const page = this.#gate(() => this.#broker.read(channel.stream, cursor, WIRE_DEFAULTS.pageSize)).finally(() =>
      channel.pages.delete(cursor),
    );
    channel.pages.set(cursor, page);
    return page;
  }
}
