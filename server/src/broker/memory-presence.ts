// Presence in memory, for memory.ts. Not here: who hears the events.

import type { PresenceEntry, PresenceEvent, PresencePage, PresenceSnapshot, PresenceStore } from "./presence-port.ts";

export type PresencePlace = { version: number; readonly entries: Map<string, PresenceEntry> };

export type MemoryPresenceParts = {
  readonly places: Map<string, PresencePlace>;
  /** Throws while the store is away. */
  reach(): void;
  tell(event: PresenceEvent): void;
  subscribe(place: string): Promise<void>;
  unsubscribe(place: string): void;
};

export class MemoryPresence implements PresenceStore {
  readonly #parts: MemoryPresenceParts;

  constructor(parts: MemoryPresenceParts) {
    this.#parts = parts;
  }

  async enter(place: string, entry: PresenceEntry): Promise<boolean> {
    this.#parts.reach();
    const stored = this.#placeOf(place);
    const former = stored.entries.get(entry.member);
    if (former && former.g > entry.g) return false;
    stored.entries.set(entry.member, entry);
    if (former?.visible !== entry.visible) this.#tell(place, stored, entry.member, entry.visible);
    return true;
  }

  async leave(place: string, member: string, g: number): Promise<boolean> {
    this.#parts.reach();
    const stored = this.#placeOf(place);
    const former = stored.entries.get(member);
    if (!former || former.g > g) return false;
    stored.entries.delete(member);
    this.#tell(place, stored, member);
    return true;
  }

  async snapshot(place: string, limit: number): Promise<PresenceSnapshot> {
    this.#parts.reach();
    const { version, entries } = this.#placeOf(place);
    return { version, count: entries.size, ...(entries.size <= limit ? { entries: [...entries.values()] } : {}) };
  }

  async page(place: string, cursor: string, n: number): Promise<PresencePage> {
    this.#parts.reach();
    const all = [...this.#placeOf(place).entries.values()];
    const from = Number(cursor);
    const end = from + n;
    return { count: all.length, entries: all.slice(from, end), ...(end < all.length ? { next: String(end) } : {}) };
  }

  follow(place: string): Promise<void> {
    return this.#parts.subscribe(place);
  }

  unfollow(place: string): void {
    this.#parts.unsubscribe(place);
  }

  #placeOf(place: string): PresencePlace {
    const known = this.#parts.places.get(place) ?? { version: 0, entries: new Map<string, PresenceEntry>() };
    this.#parts.places.set(place, known);
    return known;
  }

  #tell(place: string, stored: PresencePlace, member: string, visible?: string): void {
    stored.version += 1;
    const { version, entries } = stored;
    this.#parts.tell({
      place,
      version,
      count: entries.size,
      member,
      ...(visible === undefined ? {} : { visible }),
    });
  }
}
