// How the channels of a name are delivered. Set by whoever runs the servers, never by who publishes: a client that could call its
// messages critical would. Pure. Not here: delivering (channel.ts).

export type Priority = "low" | "normal" | "critical";

export type ChannelTraits = {
  /** Subscribers get the newest publication this often and none between; 0 = every one. */
  readonly conflateMs: number;
  /** Publications gather this long, and leave as one block where subscribers can read it; 0 = they leave at once. */
  readonly batchMs: number;
  /** So many leave without waiting for more. */
  readonly batchSize: number;
  /** `low`: unnumbered messages are dropped early. `critical`: numbered ones are queued for longer before the subscriber lags. */
  readonly priority: Priority;
};

/**
 * @property names patterns in which `*` is any text.
 * @property history what is kept of each channel; absent = as of all channels.
 */
export type Namespace = ChannelTraits & {
  readonly names: readonly string[];
  readonly history?: { readonly maxLength: number; readonly ttlMs: number };
};

export const PLAIN_TRAITS: ChannelTraits = { conflateMs: 0, batchMs: 0, batchSize: 100, priority: "normal" };

/** Of the first namespace that fits. */
export function traitsFor(namespaces: readonly Namespace[] | undefined, channel: string): ChannelTraits {
  return namespaceOf(namespaces, channel) ?? PLAIN_TRAITS;
}

/** The first that fits. */
export function namespaceOf(namespaces: readonly Namespace[] | undefined, channel: string): Namespace | undefined {
  return namespaces?.find(({ names }) => names.some((pattern) => fits(pattern, channel)));
}

// No regular expression: a pattern with many `*` must not cost more than the length of both.
function fits(pattern: string, text: string): boolean {
  const [first = "", ...parts] = pattern.split("*");
  const last = parts.pop();
  if (last === undefined) return pattern === text;
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const part of parts) {
    const found = text.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
