// The library's way to a server: options with defaults. Not here: the environment (main.ts).

import { createLogger } from "@wscluster/platform";
import type { LogLevel } from "@wscluster/platform";
import { MemoryBroker } from "./broker/memory.ts";
import type { Broker } from "./broker/port.ts";
import { DEFAULT_SETTINGS } from "./config.ts";
import { Pod } from "./pod.ts";
import type { PodOptions } from "./pod-options.ts";
import type { LiveSettings } from "./session/context.ts";

export type CreateServerOptions = Partial<Omit<PodOptions, "broker" | "log" | "settings">> & {
  /** Absent = in memory, this server alone. */
  readonly broker?: Broker;
  readonly settings?: Partial<LiveSettings>;
  readonly logLevel?: LogLevel;
};

/** A server that is not started yet: `await server.start()`, then `server.port`. Ports 0 (the default) pick free ones. */
export function createServer(options: CreateServerOptions = {}): Pod {
  const { broker, settings, logLevel, ...rest } = options;
  const live: LiveSettings = { ...DEFAULT_SETTINGS, ...settings };
  return new Pod({
    port: 0,
    adminPort: 0,
    path: "/ws",
    mode: "active",
    adminKeys: [],
    ticketKeys: [],
    anonymous: true,
    allowedOrigins: [],
    terminationMs: 30_000,
    ...rest,
    broker:
      broker ??
      new MemoryBroker({
        policy: () => ({ history: live.history, metaTtlMs: 86_400_000, sessionMaxAgeMs: 86_400_000 }),
      }),
    log: createLogger(logLevel ?? "warn"),
    settings: () => live,
  });
}
