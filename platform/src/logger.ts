// Structured logs. Not here: what is logged. Secrets are cut out by name, so that a careless object cannot leak one.

import { pino } from "pino";
import type { DestinationStream, Logger as PinoLogger } from "pino";

export type Logger = PinoLogger;

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const SECRETS = ["secret", "token", "ticket", "password", "authorization", "cookie", "adminKeys", "ticketKeys"];

/** @param bindings fields of every line, such as the cluster and the pod. */
export function createLogger(
  level: LogLevel,
  bindings: Readonly<Record<string, string>> = {},
  destination?: DestinationStream,
): Logger {
  const options = {
    level,
    base: { ...bindings },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: "[removed]" },
  };
  return destination ? pino(options, destination) : pino(options);
}
