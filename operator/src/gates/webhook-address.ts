// Which hosts and addresses the operator may call on behalf of a resource. Whoever may write a resource must not reach what only
// the operator's pod can reach: its own ports, the node's, a cloud's metadata. Pure. Not here: resolving and calling (webhook-call.ts).
import { BlockList, isIP } from "node:net";

/** `host`, `*.domain`, an address or a CIDR; what is none of these is told. */
export type AllowList = {
  readonly hosts: ReadonlySet<string>;
  readonly domains: readonly string[];
  readonly networks: BlockList;
  readonly isEmpty: boolean;
  readonly wrong: readonly string[];
};

export function parseAllowList(entries: readonly string[]): AllowList {
  const hosts = new Set<string>();
  const domains: string[] = [];
  const networks = new BlockList();
  const wrong: string[] = [];
  for (const entry of entries.map((one) => one.trim().toLowerCase())) {
    const [address = "", bits] = entry.split("/");
    const family = isIP(address);
    if (family !== 0) {
      const most = family === 4 ? 32 : 128;
      const prefix = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
      if (prefix < 0 || prefix > most) wrong.push(entry);
      else networks.addSubnet(address, prefix, family === 4 ? "ipv4" : "ipv6");
    } else if (/^\*\.[a-z0-9.-]+$/.test(entry)) domains.push(entry.slice(1));
    else if (/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(entry)) hosts.add(entry);
    else wrong.push(entry);
  }
  return { hosts, domains, networks, isEmpty: entries.length === wrong.length, wrong };
}

/** By its name alone. */
export function isHostAllowed(list: AllowList, host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, "");
  return list.hosts.has(name) || list.domains.some((domain) => name.endsWith(domain) && name.length > domain.length);
}

/** By every address that it has. */
export function areAddressesAllowed(list: AllowList, addresses: readonly string[]): boolean {
  return addresses.length > 0 && addresses.every((address) => list.networks.check(address, familyOf(address)));
}

const FORBIDDEN = new BlockList();
for (const [network, prefix] of [
  ["0.0.0.0", 8],
  ["127.0.0.0", 8],
  // Link-local, and in it the metadata of most clouds.
  ["169.254.0.0", 16],
  // Metadata of Alibaba Cloud, and of Oracle's old instances.
  ["100.100.100.200", 32],
  ["192.0.0.192", 32],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
] as const) {
  FORBIDDEN.addSubnet(network, prefix, "ipv4");
}
for (const [network, prefix] of [
  ["::", 128],
  ["::1", 128],
  ["fe80::", 10],
  // Metadata of AWS over IPv6.
  ["fd00:ec2::", 32],
  ["ff00::", 8],
  // Translations to IPv4: what they lead to cannot be seen here.
  ["64:ff9b::", 96],
  ["2002::", 16],
] as const) {
  FORBIDDEN.addSubnet(network, prefix, "ipv6");
}

/** Loopback, link-local, metadata, multicast and what translates to them: refused whatever the list says. */
export function isForbidden(address: string): boolean {
  const family = isIP(address);
  // An address with a zone is a link-local one.
  if (family === 0 || address.includes("%")) return true;
  const mapped = family === 6 ? mappedIpv4(address) : undefined;
  return mapped === undefined ? FORBIDDEN.check(address, familyOf(address)) : FORBIDDEN.check(mapped, "ipv4");
}

/** `::ffff:127.0.0.1` and `::ffff:7f00:1` are IPv4. */
function mappedIpv4(address: string): string | undefined {
  const tail = /^(?:0*:)*:?(?:0*:)*ffff:(.+)$/i.exec(address)?.[1];
  if (tail === undefined) return undefined;
  if (isIP(tail) === 4) return tail;
  const [high, low] = tail.split(":").map((part) => Number.parseInt(part, 16));
  if (high === undefined || low === undefined || !Number.isInteger(high) || !Number.isInteger(low)) return undefined;
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 4 ? "ipv4" : "ipv6";
}
