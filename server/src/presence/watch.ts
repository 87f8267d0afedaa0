// One place as this pod's watchers see it: members, and what of them was told. Changes are gathered and told together; above a size
// only the number is told, so that a crowd does not cost its square. Pure but for the store's snapshot. Not here: sockets, timers.

import type { PresenceEvent, PresenceSnapshot } from "../broker/presence-port.ts";

/** More members than this are not listed. */
export const LISTED_MEMBERS = 200;
/** A crowd is listed again only well below, so that one at the border does not flicker. */
const LISTED_AGAIN = 160;

export class Watch {
  readonly place: string;
  readonly channel: string;
  count = 0;
  /** Members as of the last event; `undefined` = too many. */
  members: Map<string, string> | undefined;
  #version = 0;
  #isMany = false;
  /** What the watchers know; `undefined` = the number alone. */
  #told: Map<string, string> | undefined;
  #toldCount = -1;

  constructor(place: string, channel: string) {
    this.place = place;
    this.channel = channel;
  }

  /** False when an event before this one was missed, or a crowd became listable: a snapshot is needed. */
  accept(event: PresenceEvent): boolean {
    if (event.version <= this.#version) return true;
    if (event.version !== this.#version + 1) return false;
    this.#version = event.version;
    this.count = event.count;
    if (this.count > LISTED_MEMBERS) this.#isMany = true;
    if (this.#isMany) {
      this.members = undefined;
      return this.count > LISTED_AGAIN;
    }
    if (event.visible === undefined) this.members?.delete(event.member);
    else this.members?.set(event.member, event.visible);
    return true;
  }

  load({ version, count, entries }: PresenceSnapshot): void {
    this.#version = version;
    this.count = count;
    this.#isMany = entries === undefined;
    this.members = entries && new Map(entries.map(({ member, visible }) => [member, visible]));
  }

  /** What the watchers have to be told now, as a frame's text; "" when nothing. */
  news(): string {
    const { members, channel, count } = this;
    const told = this.#told;
    const isFirst = this.#toldCount === -1;
    if (!members) {
      const isNews = told !== undefined || this.#toldCount !== count;
      this.#told = undefined;
      this.#toldCount = count;
      return isNews ? this.whole() : "";
    }
    this.#told = new Map(members);
    this.#toldCount = count;
    if (!told) return isFirst && members.size === 0 ? "" : this.whole();
    const joined = [...members].filter(([member, visible]) => told.get(member) !== visible);
    const left = [...told.keys()].filter((member) => !members.has(member));
    if (joined.length === 0 && left.length === 0) return "";
    const join = joined.length > 0 ? `,"join":[${joined.map(itemText).join(",")}]` : "";
    const leave = left.length > 0 ? `,"leave":${JSON.stringify(left)}` : "";
    return `{"t":"pres","c":${JSON.stringify(channel)},"n":${members.size}${join}${leave}}`;
  }

  /** All that was told, for a watcher that comes new. */
  whole(): string {
    const head = `{"t":"pres","c":${JSON.stringify(this.channel)}`;
    const told = this.#told;
    if (!told) return `${head},"n":${this.#toldCount === -1 ? this.count : this.#toldCount},"many":true}`;
    return `${head},"n":${told.size},"reset":true,"join":[${[...told].map(itemText).join(",")}]}`;
  }
}

/** {m, u, d} from a member and its {u, d}. */
export function itemText([member, visible]: readonly [string, string]): string {
  return `{"m":${JSON.stringify(member)},${visible.slice(1)}`;
}
