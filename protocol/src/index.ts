// Public surface of @wscluster/protocol.
export * from "./client-defaults.ts";
export * from "./close-codes.ts";
export * from "./contract.ts";
export * from "./error-codes.ts";
export * from "./frames.ts";
export * from "./limits.ts";
export * from "./metrics.ts";
export * from "./partitions.ts";
export * from "./plain-frames.ts";
export * from "./pod.ts";
export * from "./reconnect.ts";
export * from "./wire-defaults.ts";
