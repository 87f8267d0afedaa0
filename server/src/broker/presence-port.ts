// What presence needs from a shared store. Not here: who watches what (presence/), the adapters.

/** A session that is present somewhere. */
export type PresenceEntry = {
  /** Session id. */
  readonly member: string;
  /** Generation of the session that wrote it. */
  readonly g: number;
  /** KEY of the pod that wrote it. */
  readonly owner: string;
  /** JSON text of {u: user, d: data}: what others see. */
  readonly visible: string;
};

/** One change that others can see. A move or a resume is none. */
export type PresenceEvent = {
  readonly place: string;
  /** Rises by one with each event of the place. */
  readonly version: number;
  /** Members after it. */
  readonly count: number;
  readonly member: string;
  /** Absent = left. */
  readonly visible?: string;
};

export type PresenceSnapshot = {
  readonly version: number;
  readonly count: number;
  /** Absent when there are more than asked for. */
  readonly entries?: readonly PresenceEntry[];
};

export type PresencePage = {
  readonly count: number;
  readonly entries: readonly PresenceEntry[];
  /** Cursor of the next page; absent on the last one. */
  readonly next?: string;
};

/** Rejections: only `BrokerUnavailable`. A place is a channel's presence, by name. */
export interface PresenceStore {
  /** False when the session is there with a higher generation: nothing was changed. */
  enter(place: string, entry: PresenceEntry): Promise<boolean>;
  /** Removes the session unless its generation there is above `g`, so that anybody may call it. False when nothing was removed. */
  leave(place: string, member: string, g: number): Promise<boolean>;
  snapshot(place: string, limit: number): Promise<PresenceSnapshot>;
  /** Some `n` entries; one that comes or goes meanwhile may be missing, and one may come twice. */
  page(place: string, cursor: string, n: number): Promise<PresencePage>;
  /** Resolves once events from now on will be heard. */
  follow(place: string): Promise<void>;
  unfollow(place: string): void;
}
