// Keys of the shared store [freeze]. Everything of one stream or session shares one hash tag, so that its script runs on one slot.

export const SLOT_COUNT = 64;

/** 32-bit FNV-1a over UTF-8. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text, "utf8")) {
    hash ^= byte;
    hash = Math.imul(hash, 0x01000193);
  }
  return hash >>> 0;
}

export function slotOf(name: string): number {
  return fnv1a(name) % SLOT_COUNT;
}

function tag(slot: number): string {
  return `{s${String(slot).padStart(2, "0")}}`;
}

export type Keys = ReturnType<typeof keysFor>;

/** @param prefix of this cluster; two clusters on one store must differ in it. */
export function keysFor(prefix: string) {
  const base = (name: string) => `${prefix}:${tag(slotOf(name))}`;
  return {
    meta: (stream: string) => `${base(stream)}:m:${stream}`,
    stream: (stream: string) => `${base(stream)}:x:${stream}`,
    channel: (stream: string) => `${base(stream)}:c:${stream}`,
    /** A publish of this stream that came with a key. */
    once: (stream: string, key: string) => `${base(stream)}:k:${stream}:${key}`,
    /** Cursors of a stream's readers. */
    cursors: (stream: string) => `${base(stream)}:cur:${stream}`,
    /** Presence of a channel, by the place's name. */
    presence: (place: string) => `${base(place)}:pres:${place}`,
    /** Sessions of a user, by TENANT/USER. */
    userSessions: (user: string) => `${base(user)}:us:${user}`,
    session: (id: string) => `${base(id)}:sess:${id}`,
    seq: (slot: number) => `${prefix}:${tag(slot)}:seq`,
    recent: (slot: number) => `${prefix}:${tag(slot)}:recent`,
    receipts: (slot: number) => `${prefix}:${tag(slot)}:rcpt`,
    pods: () => `${prefix}:pods`,
    pod: (key: string) => `${prefix}:pod:${key}`,
  };
}
