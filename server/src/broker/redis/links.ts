// The connections that fit the kind of store. Not here: the kinds.

import type { RedisBrokerOptions } from "../redis.ts";
import { storeAddressOf } from "./address.ts";
import { ClusterMap } from "./cluster-map.ts";
import { ClusterSubscriptions } from "./cluster-subscriptions.ts";
import { CommandLink, SILENCE_MS } from "./command-link.ts";
import type { Commands } from "./command-link.ts";
import { openPrimary } from "./connections.ts";
import { SubscriberLink } from "./subscriber-link.ts";
import type { SubscriberHooks, Subscriptions } from "./subscriber-link.ts";

const TIMEOUT_MS = 5_000;

type LinkOptions = Pick<RedisBrokerOptions, "url" | "log" | "timeoutMs" | "silenceMs">;

export function linksFor(options: LinkOptions, hooks: SubscriberHooks): readonly [Commands, Subscriptions] {
  const { url, log, timeoutMs = TIMEOUT_MS, silenceMs = SILENCE_MS } = options;
  const address = storeAddressOf(url);
  if (!address) throw new TypeError("cannot use the store: its URL is of no known form");
  if (address.kind === "cluster") {
    const parts = { address, timeoutMs, silenceMs, log };
    const map = new ClusterMap(parts);
    return [map, new ClusterSubscriptions(parts, map, hooks)];
  }
  const open = openPrimary(address);
  const parts = { open, timeoutMs, silenceMs, log };
  return [new CommandLink(parts), new SubscriberLink(parts, hooks)];
}
