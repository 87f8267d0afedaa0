// Where the store is, as one URL. Pure. Not here: connecting.
//
//   redis://[USER:PASSWORD@]HOST[:PORT][/DB]                    one Redis, or a proxy in front of several
//   redis+sentinel://[USER:PASSWORD@]HOST:PORT,HOST:PORT/NAME   the primary that Sentinels name
//   redis+cluster://[USER:PASSWORD@]HOST:PORT,HOST:PORT         a Redis Cluster
//
// With `rediss` instead of `redis` all of it over TLS.

export type HostPort = { readonly host: string; readonly port: number };

export type StoreAddress = {
  readonly username?: string;
  readonly password?: string;
  readonly tls: boolean;
} & (
  | { readonly kind: "single"; readonly url: string }
  | { readonly kind: "sentinel"; readonly hosts: readonly HostPort[]; readonly name: string }
  | { readonly kind: "cluster"; readonly hosts: readonly HostPort[] }
);

const SEVERAL = /^(rediss?)\+(sentinel|cluster):\/\/(?:([^:@/]*):([^@/]*)@)?([^@/]+?)(?:\/([^/]+))?\/?$/;

/** `undefined` when it is none of these forms. */
export function storeAddressOf(url: string): StoreAddress | undefined {
  if (/^rediss?:\/\/.+/.test(url)) return { kind: "single", url, tls: url.startsWith("rediss") };
  const parts = SEVERAL.exec(url);
  if (!parts) return undefined;
  const [, scheme, kind, username, password, list = "", name] = parts;
  const hosts = list.split(",").map(hostOf);
  if (!hosts.every((host) => host !== undefined)) return undefined;
  const common = {
    tls: scheme === "rediss",
    ...(username ? { username: decodeURIComponent(username) } : {}),
    ...(password ? { password: decodeURIComponent(password) } : {}),
    hosts,
  };
  if (kind === "cluster") return name === undefined ? { kind: "cluster", ...common } : undefined;
  return name === undefined ? undefined : { kind: "sentinel", name, ...common };
}

function hostOf(text: string): HostPort | undefined {
  const parts = /^(\[[0-9a-fA-F:]+\]|[^:\s[\]]+):(\d{1,5})$/.exec(text.trim());
  const [, host, port] = parts ?? [];
  return host === undefined || port === undefined
    ? undefined
    : { host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
}
