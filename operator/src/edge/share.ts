// The part of the unnamed arrivals that is led to chosen servers, as the proxy's map holds it. Pure: lines in and out.
import { SHARE_MAP } from "./haproxy-config.ts";

export type ProxyShare = {
  /** 1 to 99. */
  readonly percent: number;
  /** KEYs in order. */
  readonly keys: readonly string[];
};

/** What the proxy has: nothing led away, a share, or no map at all (its configuration is older than this). */
export type ProxyShareState = ProxyShare | "none" | "unsupported";

/** Every key gets as many slots as every other, give or take one; with more keys than slots the last get none. */
export function shareEntries(share: ProxyShare): string[] {
  const slots = Array.from({ length: SHARE_MAP.slots }, (_, slot) => `${slot} ${share.keys[slot % share.keys.length]}`);
  return [`${SHARE_MAP.percentKey} ${share.percent}`, ...slots];
}

/** What `show map` prints: an address, a key and a value in each line. */
export function parseShare(text: string): ProxyShareState {
  if (/unknown map/i.test(text)) return "unsupported";
  const entries = text
    .split("\n")
    .map((line) => line.trim().split(" "))
    .filter((cells) => cells.length === 3);
  const values = new Map(entries.map(([, key = "", value = ""]) => [key, value]));
  const percent = Number(values.get(SHARE_MAP.percentKey) ?? 0);
  values.delete(SHARE_MAP.percentKey);
  if (percent === 0 || values.size < SHARE_MAP.slots) return "none";
  return { percent, keys: [...new Set(values.values())].toSorted() };
}

export function isSameShare(wanted: ProxyShare | undefined, actual: ProxyShareState): boolean {
  if (wanted === undefined) return actual === "none" || actual === "unsupported";
  if (actual === "none" || actual === "unsupported") return false;
  const keys = wanted.keys.slice(0, SHARE_MAP.slots);
  return (
    actual.percent === wanted.percent &&
    actual.keys.length === keys.length &&
    keys.every((key, index) => key === actual.keys[index])
  );
}
