// Parsers for what the runtime socket prints. Columns are found by their names: newer versions append some.
import { PROXY } from "./haproxy-config.ts";
import type { ProxyServer } from "./reconcile.ts";

const MAINT_BITS = 0x01 | 0x02 | 0x04 | 0x20 | 0x40;
const DRAIN_BITS = 0x08 | 0x10;
const CHECK_ENABLED_BIT = 0x04;

export type ProxyStat = { readonly proxy: string; readonly server: string; readonly connections: number };

/** Rows of `show servers state`; sessions are 0 until joined with `show stat`. */
export function parseServersState(text: string): Omit<ProxyServer, "sessions">[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const header = lines.find((line) => line.startsWith("# "));
  if (header === undefined) return [];
  const columns = header.slice(2).trim().split(" ");
  const index = (name: string): number => columns.indexOf(name);
  const [backend, name, address, port] = [index("be_name"), index("srv_name"), index("srv_addr"), index("srv_port")];
  const [admin, check] = [index("srv_admin_state"), index("srv_check_state")];
  const servers: Omit<ProxyServer, "sessions">[] = [];
  for (const line of lines) {
    if (line.startsWith("#")) continue;
    const cells = line.trim().split(" ");
    if (cells[backend] !== PROXY.backend) continue;
    const mask = Number(cells[admin]);
    servers.push({
      key: cells[name] ?? "",
      address: cells[address] ?? "",
      port: Number(cells[port]),
      state: (mask & MAINT_BITS) !== 0 ? "maint" : (mask & DRAIN_BITS) !== 0 ? "drain" : "ready",
      isCheckEnabled: (Number(cells[check]) & CHECK_ENABLED_BIT) !== 0,
    });
  }
  return servers;
}

/** Current sessions of each frontend and server in `show stat`. */
export function parseStat(text: string): ProxyStat[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const header = lines.find((line) => line.startsWith("# "));
  if (header === undefined) return [];
  const columns = header.slice(2).split(",");
  const [proxy, server, current] = [columns.indexOf("pxname"), columns.indexOf("svname"), columns.indexOf("scur")];
  return lines
    .filter((line) => !line.startsWith("#"))
    .map((line) => {
      const cells = line.split(",");
      return { proxy: cells[proxy] ?? "", server: cells[server] ?? "", connections: Number(cells[current] ?? 0) };
    });
}

/** `Name: value` lines of `show info`. */
export function parseInfo(text: string): Map<string, string> {
  const info = new Map<string, string>();
  for (const line of text.split("\n")) {
    const colon = line.indexOf(": ");
    if (colon > 0) info.set(line.slice(0, colon), line.slice(colon + 2).trim());
  }
  return info;
}

/** Names of the clients' sessions in `show sess`: `0x55d0: proto=tcpv4 src=... fe=fe_clients be=be_pods ...`. */
export function parseClientSessions(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => line.includes(` fe=${PROXY.frontend} `))
    .flatMap((line) => /^(0x[0-9a-f]+):/.exec(line)?.[1] ?? []);
}

/** `proc.name: type=sint value=<5>` of `get var`; undefined where there is no such variable. */
export function parseVariable(text: string): number | undefined {
  const value = /value=<(-?\d+)>/.exec(text)?.[1];
  return value === undefined ? undefined : Number(value);
}

/** Rates in the one row of the brake's table; zeros before the first arrival, undefined where there is no such table. */
export function parseArrivals(text: string): { admittedPerSecond: number; refusedPerSecond: number } | undefined {
  if (!/^# table: /m.test(text)) return undefined;
  const admitted = /gpc0_rate\(1000\)=(\d+)/.exec(text)?.[1];
  const refused = /gpc1_rate\(10000\)=(\d+)/.exec(text)?.[1];
  return { admittedPerSecond: Number(admitted ?? 0), refusedPerSecond: Math.ceil(Number(refused ?? 0) / 10) };
}
