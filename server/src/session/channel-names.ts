// Names that a client may use, and the streams that they mean. Pure. Reserved: names that begin with `$` or `~`, but for these two:
// `~inbox`, the user's own inbox, to read; `~user/NAME`, anybody's inbox, to write. Not here: what an identity is permitted.

import { INBOX_CHANNEL, USER_CHANNEL, WIRE_DEFAULTS } from "@wscluster/protocol";

/** A channel that a client may name: 1 to 200 bytes, no control characters, not reserved. */
export function isChannelName(name: string): boolean {
  if (name.length === 0 || name.startsWith("$") || name.startsWith("~")) return false;
  for (let index = 0; index < name.length; index += 1) if (name.charCodeAt(index) < 32) return false;
  return Buffer.byteLength(name) <= WIRE_DEFAULTS.maxChannelBytes;
}

export function isReadable(name: string): boolean {
  return name === INBOX_CHANNEL || isChannelName(name);
}

export function isWritable(name: string): boolean {
  if (!name.startsWith(USER_CHANNEL)) return isChannelName(name);
  return /^[^\p{Cc}/]{1,128}$/u.test(name.slice(USER_CHANNEL.length));
}

/** The stream of a channel, as this user means it. */
export function streamOf(
  { tenant, user }: { readonly tenant: string; readonly user: string },
  channel: string,
): string {
  return channel === INBOX_CHANNEL ? inboxOf(tenant, user) : `${tenant}/${channel}`;
}

export function inboxOf(tenant: string, user: string): string {
  return `${tenant}/${USER_CHANNEL}${user}`;
}
