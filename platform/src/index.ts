// Public surface of @wscluster/platform.
export * from "./admin-server.ts";
export * from "./config.ts";
export * from "./lifecycle.ts";
export * from "./logger.ts";
export * from "./metrics.ts";
export * from "./signing.ts";
