// Names that a client may use, and the streams that they mean. Pure. Reserved: names that begin with `$` or `~`, but for these:
// `~inbox`, `~me`, `~session`, `~tenant` and `~all`, to read; `~user/NAME`, anybody's inbox, to write. Not here: what an identity is
// permitted.

import { INBOX_CHANNEL, OWN_CHANNELS, USER_CHANNEL, WIRE_DEFAULTS } from "@wscluster/protocol";
import { DEFAULT_TENANT, isIdentifier } from "../auth/names.ts";

/** A channel that a client may name: 1 to 200 bytes, no control characters, not reserved. */
export function isChannelName(name: string): boolean {
  if (name.length === 0 || name.startsWith("$") || name.startsWith("~")) return false;
  for (let index = 0; index < name.length; index += 1) if (name.charCodeAt(index) < 32) return false;
  return Buffer.byteLength(name) <= WIRE_DEFAULTS.maxChannelBytes;
}

const OWN: ReadonlySet<string> = new Set([INBOX_CHANNEL, ...OWN_CHANNELS]);

export function isReadable(name: string): boolean {
  return OWN.has(name) || isChannelName(name);
}

export function isWritable(name: string): boolean {
  if (!name.startsWith(USER_CHANNEL)) return isChannelName(name);
  return isIdentifier(name.slice(USER_CHANNEL.length));
}

type Owner = { readonly tenant: string; readonly user: string; readonly id: string };

/** The stream of a channel, as this session means it. */
export function streamOf({ tenant, user, id }: Owner, channel: string): string {
  switch (channel) {
    case INBOX_CHANNEL:
      return inboxOf(tenant, user);
    case "~me":
      return `${tenant}/~me/${user}`;
    case "~session":
      return `${tenant}/~session/${id}`;
    case "~all":
      return EVERYBODY;
    default:
      return `${tenant}/${channel}`;
  }
}

/** No tenant has an empty name. */
const EVERYBODY = "/~all";

export function inboxOf(tenant: string, user: string): string {
  return `${tenant}/${USER_CHANNEL}${user}`;
}

/** Whom a server publishes to. `user` = the devices that are connected (and those that resume); `inbox` = all devices, also later. */
export type Target =
  | { readonly type: "channel"; readonly id: string; readonly tenant?: string }
  | { readonly type: "user"; readonly id: string; readonly tenant?: string }
  | { readonly type: "inbox"; readonly id: string; readonly tenant?: string }
  | { readonly type: "session"; readonly id: string; readonly tenant?: string }
  | { readonly type: "tenant"; readonly id: string }
  | { readonly type: "all" };

/** `undefined` when the target has no name that could exist. */
export function streamOfTarget(target: Target): string | undefined {
  if (target.type === "all") return EVERYBODY;
  const { type, id } = target;
  const tenant = "tenant" in target ? (target.tenant ?? DEFAULT_TENANT) : type === "tenant" ? id : DEFAULT_TENANT;
  if (!isIdentifier(tenant)) return undefined;
  if (type === "tenant") return `${tenant}/~tenant`;
  if (type === "channel") return isChannelName(id) ? `${tenant}/${id}` : undefined;
  if (!isIdentifier(id)) return undefined;
  if (type === "inbox") return inboxOf(tenant, id);
  return type === "user"
    ? streamOf({ tenant, user: id, id: "" }, "~me")
    : streamOf({ tenant, user: "", id }, "~session");
}
