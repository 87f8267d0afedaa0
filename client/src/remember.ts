// Keeps a session across a reload of its page: who it was and how far each channel was read. A copy of the tab has the same storage,
// so a Web Lock decides who the session belongs to. Not here: what a resume is (session.ts); messages: the page keeps its own.

import type { Position } from "@wscluster/protocol";
import type { Client } from "./client.ts";
import { connect } from "./client.ts";
import type { Clock, TimerHandle } from "./clock.ts";
import { systemClock } from "./clock.ts";
import type { ConnectOptions, SessionIdentity } from "./options.ts";

/** The parts of `sessionStorage` or `localStorage` that are used. */
export type StorageLike = {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
};

/** The part of `navigator.locks` that is used. */
export type LocksLike = {
  request(name: string, options: { readonly signal: AbortSignal }, run: () => Promise<void>): Promise<void>;
};

export type RememberOptions = {
  /**
   * Default: `sessionStorage`, which belongs to one tab and survives its reload. With `localStorage` the session outlives the tab,
   * and the first of several tabs has it.
   */
  readonly storage?: StorageLike;
  /** Default: `navigator.locks`. Without any (`null`, or a page without https), a session that is still in use is left alone. */
  readonly locks?: LocksLike | null;
  /** Default: `globalThis`; its `pagehide` writes what is not written yet. */
  readonly page?: {
    addEventListener?(type: string, listener: () => void): void;
    removeEventListener?(type: string, listener: () => void): void;
  };
  readonly clock?: Clock;
};

export interface Remembered {
  /** Another page has the session of this storage: this one got a new session, and reads on from the same positions. */
  readonly isCopy: boolean;
  /** Where the last page was in a channel, to subscribe `from` there; `undefined`: never subscribed. */
  position(channel: string): Position | undefined;
  /** As `connect`, but goes on with the session of the last page. To be called once. */
  connect(options: Omit<ConnectOptions, "resume" | "instance" | "producer">): Client;
  /** Forgets everything, for example when the user signs out. */
  forget(): void;
}

/** `undefined`: was left; it is not written. */
type Positions = Readonly<Record<string, Position | undefined>>;

type Memory = {
  /** Names the lock; a copy takes a new one. */
  readonly instance: string;
  readonly identity: SessionIdentity | undefined;
  readonly producer: { readonly id: string; readonly generation: number };
  readonly positions: Positions;
};

/** A page that reloads frees its lock a moment after the next one asks for it. A copy waits that long too, once. */
const LOCK_WAIT_MS = 500;
/** At most so much is read again after a page died without `pagehide`. */
const WRITE_EVERY_MS = 250;

/**
 * Reads what the last page left under `name` and makes sure that no other page goes on with the same session.
 * What comes is delivered at least once: a page that dies before its position was written gets up to 250 ms of messages again, told by
 * their (epoch, offset). Publishes that wait for an answer are not kept.
 */
export async function remember(name: string, options: RememberOptions = {}): Promise<Remembered> {
  const { sessionStorage, navigator } = globalThis as {
    sessionStorage?: StorageLike;
    navigator?: { readonly locks?: LocksLike };
  };
  const storage = options.storage ?? sessionStorage;
  const locks = options.locks === undefined ? navigator?.locks : options.locks;
  const key = `wscluster:${name}`;
  const last = parseMemory(storage?.getItem(key) ?? null);
  const isOurs = last === undefined || !locks || (await isLocked(locks, `${key}:${last.instance}`));
  // A session that nobody guards may be alive in a copy of this tab: under a new name the server gives it only if it is idle.
  const instance = last && isOurs && locks ? last.instance : crypto.randomUUID();
  if (locks && instance !== last?.instance) await isLocked(locks, `${key}:${instance}`);
  const isSame = last !== undefined && isOurs;
  let memory: Memory = {
    instance,
    identity: isSame ? last.identity : undefined,
    // Sequence numbers begin again with the page, so the generation has to rise before anything is published.
    producer:
      isSame && locks
        ? { ...last.producer, generation: last.producer.generation + 1 }
        : { id: instance, generation: 1 },
    positions: last?.positions ?? {},
  };
  const write = (): void => storage?.setItem(key, JSON.stringify(memory));
  write();
  let stop = (): void => {};
  return {
    isCopy: !isOurs,
    position: (channel) => memory.positions[channel],
    connect(connectOptions) {
      const { identity: resume, producer } = memory;
      const client = connect({ ...connectOptions, instance, producer, ...(resume ? { resume } : {}) });
      stop = keep(client, options, (positions) => {
        const { identity } = client.wire;
        memory = { ...memory, identity, positions: { ...memory.positions, ...positions } };
        write();
      });
      client.on("producer-generation", ({ generation }) => {
        memory = { ...memory, producer: { ...producer, generation } };
        write();
      });
      return client;
    },
    forget() {
      stop();
      storage?.removeItem(key);
    },
  };
}

/** Calls `write` with the positions now and then, at once when the page goes, and never again once the client is over. */
function keep(
  client: Client,
  { page = globalThis as NonNullable<RememberOptions["page"]>, clock = systemClock }: RememberOptions,
  write: (positions: Positions) => void,
): () => void {
  const channels = new Set<string>();
  let timer: TimerHandle | undefined;
  const writeNow = (): void => {
    clock.clearTimer(timer);
    timer = undefined;
    write(Object.fromEntries([...channels].map((channel) => [channel, client.position(channel)])));
  };
  const tap = (frame: { readonly t: string; readonly c?: string }): void => {
    if (frame.t === "sub.ok" && frame.c !== undefined) channels.add(frame.c);
    timer ??= clock.setTimer(writeNow, WRITE_EVERY_MS);
  };
  client.wire.taps.add(tap);
  page.addEventListener?.("pagehide", writeNow);
  const stop = (): void => {
    clock.clearTimer(timer);
    client.wire.taps.delete(tap);
    page.removeEventListener?.("pagehide", writeNow);
  };
  client.on("state", ({ to }) => {
    if (to === "closed" || to === "given-up") stop();
  });
  return stop;
}

/** Holds the lock until the page is gone. False: another page has it. */
function isLocked(locks: LocksLike, name: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  locks
    .request(name, { signal: AbortSignal.timeout(LOCK_WAIT_MS) }, () => {
      resolve(true);
      return new Promise<void>(() => {});
    })
    .catch(() => resolve(false));
  return promise;
}

function parseMemory(text: string | null): Memory | undefined {
  try {
    const value = JSON.parse(text ?? "null") as Partial<Memory> | null;
    if (typeof value?.instance !== "string" || typeof value.producer?.id !== "string") return undefined;
    return { identity: undefined, positions: {}, ...value } as Memory;
  } catch {
    // Somebody else's text under our key: as if there were none.
    return undefined;
  }
}
