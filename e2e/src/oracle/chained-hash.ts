// A 64-bit hash over a sequence of (offset, message id), extended one pair at a time: equal sequences give equal hashes,
// whoever received them and however long they are. Not cryptographic: nobody attacks a test run.

export type ChainedHash = { readonly high: number; readonly low: number };

export const EMPTY_HASH: ChainedHash = { high: 0x9e3779b9, low: 0x85ebca6b };

function mixed(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return x ^ (x >>> 15);
}

function textHash(text: string, seed: number): number {
  let hash = seed | 0;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return mixed(hash);
}

/** The hash of the sequence that `hash` stands for, followed by message `id` at `offset`. */
export function extendHash(hash: ChainedHash, offset: number, id: string): ChainedHash {
  // Offsets may pass 32 bits: both halves take part.
  const place = mixed((offset % 0x1_0000_0000) ^ mixed(Math.floor(offset / 0x1_0000_0000)));
  return {
    high: mixed(Math.imul(hash.high, 31) ^ textHash(id, place)),
    low: mixed(Math.imul(hash.low, 37) ^ textHash(id, ~place)),
  };
}

export function isSameHash(a: ChainedHash, b: ChainedHash): boolean {
  return a.high === b.high && a.low === b.low;
}

/** 16 hexadecimal digits. */
export function formatHash(hash: ChainedHash): string {
  return [hash.high, hash.low].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
}
