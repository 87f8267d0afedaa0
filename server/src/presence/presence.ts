// Who is where: this pod's watchers, its members' entries in the store, and reaping entries whose pod is gone. Not here: frames
// (requests.ts), what a watcher is told (watch.ts).

import type { Broker, PodEntry, SessionRow } from "../broker/port.ts";
import { LEASE_MS } from "../broker/port.ts";
import type { PresenceEvent } from "../broker/presence-port.ts";
import { textFrame } from "../transport/wire-frame.ts";
import { LISTED_MEMBERS, Watch } from "./watch.ts";

/** Changes within this time are told together. */
const GATHER_MS = 200;
const REAP_PAGE = 500;
/** Names of the notes in which a session carries its presences. */
const NOTE = "p:";

export interface Watcher {
  push(frame: Buffer): void;
}

type Watched = {
  readonly watch: Watch;
  readonly watchers: Set<Watcher>;
  opened: Promise<void> | undefined;
  /** Events that came while a snapshot was on its way; `undefined` = none is. */
  early: PresenceEvent[] | undefined;
  timer: NodeJS.Timeout | undefined;
};

export function placeOf(tenant: string, channel: string): string {
  return `${tenant}/~presence/${channel}`;
}

export function visibleText(user: string, data: string): string {
  return `{"u":${JSON.stringify(user)},"d":${data}}`;
}

export function noteNameOf(channel: string): string {
  return `${NOTE}${channel}`;
}

export class Presence {
  readonly #broker: Broker;
  readonly #podKey: string;
  readonly #watched = new Map<string, Watched>();
  #unsettled: (() => Promise<unknown>)[] = [];

  constructor(broker: Broker, podKey: string) {
    this.#broker = broker;
    this.#podKey = podKey;
  }

  // ---- members ------------------------------------------------------------------------------------------------------------

  /** This pod holds the session now: its entries get the new generation, which nobody sees. */
  claim(row: SessionRow): void {
    for (const [place, data] of presencesOf(row)) {
      const visible = visibleText(row.user, data);
      const entry = { member: row.id, g: row.g, owner: this.#podKey, visible };
      this.#settle(() => this.#broker.presence.enter(place, entry));
    }
  }

  /** The session is over. */
  ended(row: SessionRow): void {
    for (const [place] of presencesOf(row)) this.#settle(() => this.#broker.presence.leave(place, row.id, row.g));
  }

  #settle(task: () => Promise<unknown>): void {
    task().catch(() => this.#unsettled.push(task));
  }

  // ---- watchers -----------------------------------------------------------------------------------------------------------

  /** Resolves when the watcher will hear of every change, after it was told who is there. Rejects with `BrokerUnavailable`. */
  async watch(watcher: Watcher, place: string, channel: string): Promise<void> {
    let watched = this.#watched.get(place);
    if (!watched) {
      watched = {
        watch: new Watch(place, channel),
        watchers: new Set(),
        opened: undefined,
        early: [],
        timer: undefined,
      };
      this.#watched.set(place, watched);
    }
    const held = watched;
    held.watchers.add(watcher);
    held.opened ??= this.#open(held);
    try {
      await held.opened;
    } catch (error) {
      held.opened = undefined;
      this.unwatch(watcher, place);
      throw error;
    }
    if (held.watchers.has(watcher)) watcher.push(textFrame(held.watch.whole()));
  }

  unwatch(watcher: Watcher, place: string): void {
    const watched = this.#watched.get(place);
    if (!watched?.watchers.delete(watcher) || watched.watchers.size > 0) return;
    clearTimeout(watched.timer);
    this.#watched.delete(place);
    this.#broker.presence.unfollow(place);
  }

  /** The watcher's connection ended. */
  drop(watcher: Watcher): void {
    for (const [place, { watchers }] of this.#watched) if (watchers.has(watcher)) this.unwatch(watcher, place);
  }

  async #open(watched: Watched): Promise<void> {
    await this.#broker.presence.follow(watched.watch.place);
    await this.#load(watched);
    watched.watch.news();
  }

  async #load(watched: Watched): Promise<void> {
    watched.early ??= [];
    watched.watch.load(await this.#broker.presence.snapshot(watched.watch.place, LISTED_MEMBERS));
    const { early } = watched;
    watched.early = undefined;
    for (const event of early) this.#take(watched, event);
  }

  onEvent(event: PresenceEvent): void {
    const watched = this.#watched.get(event.place);
    if (!watched) return;
    if (watched.early) watched.early.push(event);
    else this.#take(watched, event);
  }

  #take(watched: Watched, event: PresenceEvent): void {
    if (!watched.watch.accept(event)) this.#reload(watched);
    else this.#tellSoon(watched);
  }

  #reload(watched: Watched): void {
    if (watched.early) return;
    this.#load(watched).then(
      () => this.#tellSoon(watched),
      () => {
        // The store is away; when it is back everything is read again.
        watched.early = undefined;
      },
    );
  }

  #tellSoon(watched: Watched): void {
    watched.timer ??= setTimeout(() => {
      watched.timer = undefined;
      const news = watched.watch.news();
      if (news === "") return;
      const frame = textFrame(news);
      for (const watcher of watched.watchers) watcher.push(frame);
    }, GATHER_MS);
  }

  /** Events may have been missed. */
  resync(): void {
    for (const watched of this.#watched.values()) this.#reload(watched);
  }

  // ---- upkeep -------------------------------------------------------------------------------------------------------------

  /** Tries again what the store did not take. */
  retry(): void {
    const tasks = this.#unsettled;
    this.#unsettled = [];
    for (const task of tasks) this.#settle(task);
  }

  /**
   * Removes entries of sessions that are over and whose pod cannot say so any more. Any pod may: one that came back meanwhile has a
   * higher generation and stays.
   */
  async reap(pods: readonly PodEntry[], isOver: (session: string) => Promise<boolean>): Promise<void> {
    const alive = new Set(pods.filter(({ silentMs, gone }) => silentMs <= LEASE_MS && !gone).map(({ key }) => key));
    alive.add(this.#podKey);
    for (const place of this.#watched.keys()) {
      let cursor: string | undefined = "0";
      while (cursor !== undefined) {
        const page: { entries: readonly { member: string; g: number; owner: string }[]; next?: string } =
          await this.#broker.presence.page(place, cursor, REAP_PAGE);
        for (const { member, g, owner } of page.entries) {
          if (!alive.has(owner) && (await isOver(member))) await this.#broker.presence.leave(place, member, g);
        }
        cursor = page.next;
      }
    }
  }

  stop(): void {
    for (const { timer } of this.#watched.values()) clearTimeout(timer);
    this.#watched.clear();
  }
}

function presencesOf(row: SessionRow): readonly (readonly [place: string, data: string])[] {
  return Object.entries(row.notes ?? {}).flatMap(([name, data]) =>
    name.startsWith(NOTE) ? [[placeOf(row.tenant, name.slice(NOTE.length)), data] as const] : [],
  );
}
