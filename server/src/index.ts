// Public surface of @wscluster/server. The image is main.ts.

export { Pod as Server } from "./pod.ts";
export type { PodOptions as ServerOptions } from "./pod-options.ts";
export { createServer } from "./create-server.ts";
export type { CreateServerOptions } from "./create-server.ts";
export { MemoryBroker, MemoryStore } from "./broker/memory.ts";
export { SERVER_VARIABLES, LIVE_FILE, DEFAULT_SETTINGS, liveSettingsOf } from "./config.ts";
export type { LiveFile, ServerVariables } from "./config.ts";
export type { LiveSettings } from "./session/context.ts";
export type { Broker, BrokerListener } from "./broker/port.ts";
export { PUBLISH_ERRORS, PublishError } from "./app/publishing.ts";
export type { ServerPublishOptions, ServerPublished } from "./app/publishing.ts";
export type { Target } from "./session/channel-names.ts";
export { HookRefusal } from "./app/hooks.ts";
export type { Hooks } from "./app/hooks.ts";
export type { SessionHandle } from "./app/session-handle.ts";
export { webHooks } from "./app/web-hooks.ts";
export { RouteError } from "./router/router.ts";
export type { Route, RouteCall, RouteHandler, Routes } from "./router/router.ts";
export type { Authentication, Identify, Identity, IdentityResult } from "./auth/identity.ts";
export type { Permission } from "./auth/permissions.ts";
