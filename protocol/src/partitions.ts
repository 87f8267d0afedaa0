// Where a connection's load is counted: one routing key each, spread over a fixed number of partitions. Pure; the same in the server
// and in a server of others.

/** Routing keys are spread over this many partitions. */
export const PARTITIONS = 128;

/** FNV-1a over UTF-8 with the last mixing step of murmur3: the low bits alone decide, so they have to depend on every byte. */
export function partitionOf(key: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(key)) {
    hash ^= byte;
    hash = Math.imul(hash, 0x01000193);
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  return (hash >>> 0) % PARTITIONS;
}

/** A user may count for several connections, for example by followers or activity. */
export const WEIGHTS = { min: 1, max: 10 } as const;
