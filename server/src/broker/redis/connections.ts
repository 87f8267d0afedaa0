// How connections to the store are opened. Not here: what goes over them.

import { Redis } from "ioredis";
import type { HostPort, StoreAddress } from "./address.ts";
import { linkOptions } from "./command-link.ts";

type Several = Exclude<StoreAddress, { readonly kind: "single" }>;

function credentialsOf({ username, password, tls }: StoreAddress) {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: {} } : {}),
  };
}

/** To the one Redis, or to the primary that Sentinels name now. */
export function openPrimary(
  address: Exclude<StoreAddress, { readonly kind: "cluster" }>,
): (silenceMs: number) => Redis {
  if (address.kind === "single") return (silenceMs) => new Redis(address.url, linkOptions(silenceMs));
  return (silenceMs) =>
    new Redis({
      ...linkOptions(silenceMs),
      ...credentialsOf(address),
      sentinels: [...address.hosts],
      name: address.name,
      // Sentinels tell of a switch at once; else the old primary would have to be seen dead first.
      failoverDetector: true,
      sentinelRetryStrategy: (times) => Math.min(1_000, 100 * times),
    });
}

export function openNode(address: Several, { host, port }: HostPort): (silenceMs: number) => Redis {
  return (silenceMs) => new Redis({ ...linkOptions(silenceMs), ...credentialsOf(address), host, port });
}
