// From what the proxy should have and what it has to the commands between. Pure: no socket, no Kubernetes.
import type { EdgeServerState } from "@wscluster/protocol";
import { PROXY } from "./haproxy-config.ts";
import { serverArguments } from "./server-line.ts";

export type WantedServer = {
  readonly key: string;
  readonly address: string;
  readonly port: number;
  readonly checkPort: number;
  readonly state: EdgeServerState;
};

/** A server as the proxy has it; `maint` = added and not yet in use, or on its way out. */
export type ProxyServer = {
  readonly key: string;
  readonly address: string;
  readonly port: number;
  readonly state: EdgeServerState | "maint";
  readonly isCheckEnabled: boolean;
  readonly sessions: number;
};

export type EdgeCommand =
  | { readonly kind: "add"; readonly key: string; readonly server: WantedServer }
  | { readonly kind: "set-address"; readonly key: string; readonly address: string; readonly port: number }
  | { readonly kind: "enable-check"; readonly key: string }
  | { readonly kind: "set-state"; readonly key: string; readonly state: EdgeServerState | "maint" }
  /** To `drain`, for a server that was never in use: see `commandText`. */
  | { readonly kind: "drain-anew"; readonly key: string }
  | { readonly kind: "delete"; readonly key: string };

export type EdgePlan = {
  /** Brings servers in. To be done first. */
  readonly open: readonly EdgeCommand[];
  /** Takes servers out of unnamed arrivals or away. Only when `open` left somebody to take new ones. */
  readonly close: readonly EdgeCommand[];
};

/**
 * The least commands from `actual` to `wanted`. A fixpoint: planning again after them gives nothing. A server of a pod that is gone
 * goes to `maint` (no arrivals, sockets stay) and is deleted once it has no session.
 */
export function planEdge(wanted: readonly WantedServer[], actual: readonly ProxyServer[]): EdgePlan {
  const open: EdgeCommand[] = [];
  const close: EdgeCommand[] = [];
  const has = new Map(actual.map((server) => [server.key, server]));
  const wants = new Set<string>();
  for (const server of wanted) {
    const { key, state } = server;
    wants.add(key);
    const current = has.get(key);
    if (current === undefined) {
      open.push({ kind: "add", key, server }, { kind: "enable-check", key }, enterCommand(key, state));
      continue;
    }
    // The name stays with the pod; only a pod whose sandbox was made anew (node restart) comes with another address.
    if (current.address !== server.address || current.port !== server.port)
      open.push({ kind: "set-address", key, address: server.address, port: server.port });
    if (!current.isCheckEnabled) open.push({ kind: "enable-check", key });
    if (current.state === "maint") open.push(enterCommand(key, state));
    else if (current.state !== state)
      (current.state === "ready" ? close : open).push({ kind: "set-state", key, state });
  }
  for (const { key, state, sessions } of actual) {
    if (wants.has(key)) continue;
    if (state !== "maint") close.push({ kind: "set-state", key, state: "maint" });
    if (sessions === 0) close.push({ kind: "delete", key });
  }
  return { open, close };
}

function enterCommand(key: string, state: EdgeServerState): EdgeCommand {
  return state === "drain" ? { kind: "drain-anew", key } : { kind: "set-state", key, state };
}

export function isEmptyPlan(plan: EdgePlan): boolean {
  return plan.open.length === 0 && plan.close.length === 0;
}

/** Whether the proxy serves as wanted: nothing is left to do but to delete what is out of use. */
export function isProgrammed(wanted: readonly WantedServer[], actual: readonly ProxyServer[]): boolean {
  const plan = planEdge(wanted, actual);
  return plan.open.length === 0 && plan.close.every((command) => command.kind === "delete");
}

/** The line for the runtime socket; commands in it are parted by `; `. */
export function commandText(command: EdgeCommand): string {
  const name = `${PROXY.backend}/${command.key}`;
  switch (command.kind) {
    case "add":
      return `add server ${name} ${serverArguments(command.server)}`;
    case "set-address":
      return `set server ${name} addr ${command.address} port ${command.port}`;
    case "enable-check":
      return `enable health ${name}`;
    case "set-state":
      return `set server ${name} state ${command.state}`;
    case "drain-anew":
      // HAProxy (seen with 2.6) believes of a server that goes from `add` straight to drain that `leastconn` knows it: the first
      // named arrival puts it there, unnamed ones follow, and a later `ready` puts it there twice, which hangs the proxy. Once
      // ready and back it is taken out properly. One line, so that no arrival comes in between.
      return `set server ${name} state ready; set server ${name} state drain`;
    case "delete":
      return `del server ${name}`;
  }
}
