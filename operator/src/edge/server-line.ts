// How one pod is written for `add server`. HAProxy takes nothing from `default-server` for servers that are added at run time.

export type ServerAddress = { readonly address: string; readonly port: number; readonly checkPort: number };

/** `1.2.3.4:80` or `[::1]:80`. */
export function endpointText(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/**
 * Arguments of `add server BACKEND/KEY`. Three failed checks, or live connects that fail, stop unnamed arrivals; sockets stay.
 * The interval is long because checks cost edges x pods requests; failing live connects shorten it (`observe layer4`).
 */
export function serverArguments(server: ServerAddress): string {
  return [
    endpointText(server.address, server.port),
    `check port ${server.checkPort} inter 5s fastinter 1s downinter 1s fall 3 rise 1`,
    "observe layer4 error-limit 3 on-error fastinter",
    "pool-max-conn 0",
  ].join(" ");
}
