// The server's configuration: variables (the schema is the source of --help and docs) and the hot-reloaded file. Not here: reading them.

import { z } from "zod";
import { LOG_LEVELS, booleanVariable, integerVariable, listVariable } from "@wscluster/platform";
import { WIRE_DEFAULTS } from "@wscluster/protocol";
import { HOOK_NAMES, webHooks } from "./app/web-hooks.ts";
import type { Hooks } from "./app/hooks.ts";
import type { IdentityOptions } from "./auth/identity.ts";
import { ACTIONS } from "./auth/permissions.ts";
import type { Permission } from "./auth/permissions.ts";
import { storeAddressOf } from "./broker/redis/address.ts";
import type { Namespace } from "./hub/namespaces.ts";
import { NO_LIMITS } from "./limits/limits.ts";
import type { LimitSettings } from "./limits/limits.ts";
import { LOBBY_DEFAULTS } from "./transport/lobby.ts";
import type { Routes } from "./router/router.ts";
import type { LiveSettings } from "./session/context.ts";

const port = integerVariable({ min: 0, max: 65_535 });
const secret = z.string().min(16, "must have at least 16 characters");
const secrets = listVariable().pipe(z.array(secret));

const waitMs = (fallback: number) => integerVariable({ min: 0, max: 60_000 }).default(fallback);
const limit = () => integerVariable({ min: 0, max: 1_000_000_000 }).default(0);

export const SERVER_VARIABLES = z.object({
  WSC_CLUSTER: z.string().default("standalone").describe("Name of the WebSocketCluster."),
  WSC_NAMESPACE: z.string().default("default").describe("Its namespace."),
  WSC_POD_NAME: z.string().optional().describe("Name of the pod, for logs."),
  WSC_POD_UID: z
    .string()
    .min(16, "must be the pod's uid")
    .optional()
    .describe("uid of the pod; absent = a random one."),
  WSC_POD_IP: z.string().optional().describe("Address of the pod, for logs."),
  WSC_REVISION: z.string().optional().describe("Revision of the pod's set, for logs."),
  WSC_PORT: port.default(8_080).describe("Port for clients; 0 picks a free one."),
  WSC_ADMIN_PORT: port.default(8_081).describe("Port for probes, metrics and the pod contract; 0 picks a free one."),
  WSC_HOST: z.string().optional().describe("Address to listen on; absent = all."),
  WSC_PATH: z.string().startsWith("/", "must start with /").default("/ws").describe("Path of WebSocket upgrades."),
  WSC_TLS_CERT_FILE: z
    .string()
    .optional()
    .describe("PEM file with the certificate of the client port, and those above it; absent = no TLS in the pod."),
  WSC_TLS_KEY_FILE: z
    .string()
    .optional()
    .describe("PEM file with its key. Both files are read again when they change; open connections stay."),
  WSC_MODE: z.enum(["active", "preview", "none"]).default("active").describe("Mode at birth: active, preview or none."),
  WSC_REDIS_URL: z
    .string()
    .refine((url) => storeAddressOf(url) !== undefined, {
      error:
        "must be redis://HOST:PORT, redis+sentinel://HOST:PORT,HOST:PORT/NAME or redis+cluster://HOST:PORT,HOST:PORT (rediss for TLS)",
    })
    .optional()
    .describe(
      "Shared store: redis://HOST:PORT, redis+sentinel://HOST:PORT,HOST:PORT/NAME or redis+cluster://HOST:PORT,HOST:PORT; rediss for TLS. Absent = in memory, one pod.",
    ),
  WSC_REDIS_DURABILITY: z
    .enum(["memory", "replicated"])
    .default("memory")
    .describe("replicated: a publish is acknowledged once a replica of the store has it too (WAIT 1)."),
  WSC_REDIS_PREFIX: z
    .string()
    .regex(/^[^{}\s]+$/, "must have no braces and no spaces")
    .default("wsc")
    .describe("Prefix of all keys; two clusters on one store must differ in it."),
  WSC_INGEST_REDIS_CHANNEL: z
    .string()
    .regex(/^[^{}\s]{1,128}$/, "must have 1 to 128 characters, no braces and no spaces")
    .optional()
    .describe(
      "Redis channel whose messages {target_type, target_id, data} are delivered (docs/ingest.md); absent = none.",
    ),
  WSC_INGEST_REDIS_URL: z
    .string()
    .refine((url) => storeAddressOf(url) !== undefined, { error: "must have one of the forms of WSC_REDIS_URL" })
    .optional()
    .describe("Redis of that channel; absent = WSC_REDIS_URL."),
  WSC_ADMIN_KEYS: secrets.default([]).describe("Keys of contract writes: all verify. Absent = no writes are accepted."),
  WSC_API_KEYS: secrets
    .default([])
    .describe("Keys of back ends for /api/v1 on the admin port (described by /api/v1/openapi.json). Absent = no API."),
  WSC_TICKET_KEYS: secrets
    .default([])
    .describe("Keys of move tickets: the first signs, all verify. Absent = a random one."),
  WSC_ANONYMOUS: booleanVariable()
    .optional()
    .describe("Let clients in without a token; absent = only while tokens cannot be checked."),
  WSC_JWT_SECRET: secret
    .optional()
    .describe(
      "Key of HS256 tokens (claims sub, tenant, iat, exp, grants; key = routing key for rebalancing; weight = 1 to 10 connections that the user counts for).",
    ),
  WSC_JWT_JWKS_URL: z
    .url({ protocol: /^https?$/, error: "must be an http:// or https:// URL" })
    .optional()
    .describe("Where the identity provider publishes the keys of its RS, PS, ES and EdDSA tokens."),
  WSC_JWT_ISSUER: z.string().optional().describe("Claim iss that tokens must have; absent = any."),
  WSC_JWT_AUDIENCE: z.string().optional().describe("Claim aud that tokens must have; absent = any."),
  WSC_TOKEN_COOKIE: z
    .string()
    .regex(/^[\w.-]+$/, "must be the name of a cookie")
    .optional()
    .describe("Cookie that carries a browser's token; heeded from WSC_ALLOWED_ORIGINS only, which must not be empty."),
  WSC_HOOKS_URL: z
    .url({ protocol: /^https?$/, error: "must be an http:// or https:// URL" })
    .optional()
    .describe("Service of the application that WSC_HOOKS asks."),
  WSC_HOOKS: listVariable()
    .pipe(z.array(z.enum(HOOK_NAMES)))
    .default([])
    .describe(`What it is asked about: ${HOOK_NAMES.join(", ")}.`),
  WSC_HOOKS_SECRET: secret.optional().describe("Signs what it is sent (x-wsc-signature, HMAC-SHA256)."),
  WSC_ALLOWED_ORIGINS: listVariable().default([]).describe("Origins of browsers that may connect; empty = all."),
  WSC_ADDRESS_HEADER: z
    .string()
    .toLowerCase()
    .regex(/^[a-z0-9-]+$/, "must be the name of a header")
    .optional()
    .describe("Header in which a trusted proxy tells the client's address (last entry); absent = the TCP peer."),
  WSC_NEW_CONNECTIONS_PER_SECOND: limit().describe(
    "New connections let in per second, moves apart; 0 = as many as are measured to be borne beside the work for others.",
  ),
  WSC_STORM_WAIT_MS: waitMs(LOBBY_DEFAULTS.brakeWaitMs).describe(
    "Longest time in which a client waits for its turn when many come at once; who would wait longer gets 503 and a window.",
  ),
  WSC_SLOT_WAIT_MS: waitMs(LOBBY_DEFAULTS.slotWaitMs).describe(
    "Longest time in which a client waits for a slot of a full pod; 0 = 503 at once.",
  ),
  WSC_LIMIT_SESSIONS_PER_USER: limit().describe("Most sessions of one user on this pod; 0 = no limit."),
  WSC_LIMIT_SESSIONS_PER_TENANT: limit().describe("Most sessions of one tenant on this pod; 0 = no limit."),
  WSC_LIMIT_SESSIONS_PER_ADDRESS: limit().describe(
    "Most sessions of one client address on this pod, sockets twice as many; 0 = no limit.",
  ),
  WSC_LIMIT_SUBSCRIPTIONS_PER_SESSION: integerVariable({ min: 1, max: WIRE_DEFAULTS.maxSubscriptions })
    .default(WIRE_DEFAULTS.maxSubscriptions)
    .describe("Most channels of one session."),
  WSC_LIMIT_MESSAGES_PER_SECOND: limit().describe("Messages of one connection, bursts of 2 s; 0 = no limit."),
  WSC_LIMIT_BYTES_PER_SECOND: limit().describe("Payload bytes of one connection, bursts of 2 s; 0 = no limit."),
  WSC_LIMIT_TENANT_MESSAGES_PER_SECOND: limit().describe("Messages of one tenant on this pod; 0 = no limit."),
  WSC_LIMIT_TENANT_BYTES_PER_SECOND: limit().describe("Payload bytes of one tenant on this pod; 0 = no limit."),
  WSC_TERMINATION_SECONDS: integerVariable({ min: 1, max: 86_400 })
    .default(300)
    .describe("Grace between SIGTERM and the end, as in the pod's spec."),
  WSC_CONFIG_FILE: z.string().optional().describe("JSON file with the settings that change while running."),
  WSC_TRACING_URL: z
    .url({ protocol: /^https?$/, error: "must be an http:// or https:// URL" })
    .optional()
    .describe(
      "Where OpenTelemetry spans go, OTLP over HTTP (http://collector:4318/v1/traces); absent = nothing is traced.",
    ),
  WSC_TRACING_PERMILLE: integerVariable({ min: 1, max: 1_000 })
    .default(10)
    .describe("Of 1,000 published messages so many are traced, from the publish through the store to the sockets."),
  WSC_LOG_LEVEL: z.enum(LOG_LEVELS).default("info").describe("Least severe level that is logged."),
});

export type ServerVariables = z.output<typeof SERVER_VARIABLES>;

/** Who may connect, as the variables have it. */
export function identityOptionsOf(variables: ServerVariables): IdentityOptions & { readonly tokenCookie?: string } {
  const { WSC_JWT_SECRET, WSC_JWT_JWKS_URL, WSC_JWT_ISSUER, WSC_JWT_AUDIENCE, WSC_TOKEN_COOKIE } = variables;
  return {
    anonymous: variables.WSC_ANONYMOUS ?? (WSC_JWT_SECRET ?? WSC_JWT_JWKS_URL) === undefined,
    ...(WSC_JWT_SECRET === undefined ? {} : { jwtSecret: WSC_JWT_SECRET }),
    ...(WSC_JWT_JWKS_URL === undefined ? {} : { jwksUrl: WSC_JWT_JWKS_URL }),
    ...(WSC_JWT_ISSUER === undefined ? {} : { issuer: WSC_JWT_ISSUER }),
    ...(WSC_JWT_AUDIENCE === undefined ? {} : { audience: WSC_JWT_AUDIENCE }),
    ...(WSC_TOKEN_COOKIE === undefined ? {} : { tokenCookie: WSC_TOKEN_COOKIE }),
  };
}

export function hooksOf(variables: ServerVariables): Hooks {
  const { WSC_HOOKS_URL: url, WSC_HOOKS: names, WSC_HOOKS_SECRET: secret } = variables;
  return url === undefined ? {} : webHooks({ url, names, ...(secret === undefined ? {} : { secret }) });
}

/** Limits as the variables have them; the file may change each. */
export function limitsOf(variables: ServerVariables): LimitSettings {
  return {
    sessionsPerUser: variables.WSC_LIMIT_SESSIONS_PER_USER,
    sessionsPerTenant: variables.WSC_LIMIT_SESSIONS_PER_TENANT,
    sessionsPerAddress: variables.WSC_LIMIT_SESSIONS_PER_ADDRESS,
    subscriptionsPerSession: variables.WSC_LIMIT_SUBSCRIPTIONS_PER_SESSION,
    messagesPerSecond: variables.WSC_LIMIT_MESSAGES_PER_SECOND,
    bytesPerSecond: variables.WSC_LIMIT_BYTES_PER_SECOND,
    tenantMessagesPerSecond: variables.WSC_LIMIT_TENANT_MESSAGES_PER_SECOND,
    tenantBytesPerSecond: variables.WSC_LIMIT_TENANT_BYTES_PER_SECOND,
  };
}

const count = (min: number, max: number) => z.int().min(min).max(max);
const fileLimit = () => count(0, 1_000_000_000).optional();

/** Content of WSC_CONFIG_FILE. */
export const LIVE_FILE = z.object({
  generation: z.int().min(0).default(0),
  connections: z
    .object({
      maxPerPod: count(1, 1_000_000).default(10_000),
      sessionTtlSeconds: count(10, 3_600).default(WIRE_DEFAULTS.sessionTtlMs / 1_000),
      heartbeatSeconds: count(1, 300).default(WIRE_DEFAULTS.heartbeatMs / 1_000),
    })
    .prefault({}),
  history: z
    .object({ maxLength: count(1, 1_000_000).default(1_000), ttlSeconds: count(1, 604_800).default(300) })
    .prefault({}),
  /** What everybody may do with which channels. Absent = everything; else what a rule, or a token's `grants`, allows. */
  permissions: z
    .array(
      z.object({
        /** `*` = any text, `{user}` and `{tenant}` = those of the identity. */
        names: z.array(z.string().min(1).max(300)).min(1).max(64),
        actions: z.array(z.enum(ACTIONS)).min(1),
        tenants: z.array(z.string().min(1).max(128)).max(256).optional(),
        startsAt: z.iso.datetime({ offset: true }).optional(),
        endsAt: z.iso.datetime({ offset: true }).optional(),
      }),
    )
    .max(256)
    .optional(),
  /** How channels are delivered; the first that fits a channel's name counts. */
  namespaces: z
    .array(
      z
        .object({
          /** `*` = any text. */
          names: z.array(z.string().min(1).max(300)).min(1).max(64),
          conflateMs: count(0, 60_000).default(0),
          batchMs: count(0, 1_000).default(0),
          batchSize: count(1, 1_000).default(100),
          priority: z.enum(["low", "normal", "critical"]).default("normal"),
          /** Absent = as `history`. */
          historyLength: count(1, 1_000_000).optional(),
          historySeconds: count(1, 604_800).optional(),
        })
        .refine(({ conflateMs, batchMs }) => conflateMs === 0 || batchMs === 0, {
          message: "conflateMs and batchMs: only one may be above 0; of a conflated channel there is nothing to gather",
        }),
    )
    .max(64)
    .default([]),
  /** HTTP services that clients call by name. */
  routes: z
    .record(
      z.string().min(1).max(200),
      z.object({
        url: z.url({ protocol: /^https?$/ }),
        timeoutMs: count(1, 60_000).optional(),
        /** Calling it twice with one Idempotency-Key is as good as once. */
        idempotent: z.boolean().optional(),
      }),
    )
    .optional(),
  /** What is missing is as the variables WSC_LIMIT_* have it; 0 = no limit. */
  limits: z
    .object({
      sessionsPerUser: fileLimit(),
      sessionsPerTenant: fileLimit(),
      sessionsPerAddress: fileLimit(),
      subscriptionsPerSession: count(1, WIRE_DEFAULTS.maxSubscriptions).optional(),
      messagesPerSecond: fileLimit(),
      bytesPerSecond: fileLimit(),
      tenantMessagesPerSecond: fileLimit(),
      tenantBytesPerSecond: fileLimit(),
    })
    .prefault({}),
});

export type LiveFile = z.input<typeof LIVE_FILE>;

/** The settings in force for the content of the file, or all that is wrong with it. */
export function liveSettingsOf(
  file: unknown,
  limits: LimitSettings = NO_LIMITS,
):
  | { readonly ok: true; readonly settings: LiveSettings }
  | { readonly ok: false; readonly problems: readonly string[] } {
  const parsed = LIVE_FILE.safeParse(file);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join(".") || "file"}: ${issue.message}`);
    return { ok: false, problems };
  }
  const { generation, connections, history } = parsed.data;
  if (history.ttlSeconds < connections.sessionTtlSeconds) {
    return {
      ok: false,
      problems: [
        `history.ttlSeconds: must be at least connections.sessionTtlSeconds (${connections.sessionTtlSeconds}), else a session that may resume would find holes`,
      ],
    };
  }
  const short = parsed.data.namespaces.findIndex(
    ({ historySeconds = Infinity }) => historySeconds < connections.sessionTtlSeconds,
  );
  if (short !== -1) {
    const problem = `namespaces.${short}.historySeconds: must be at least connections.sessionTtlSeconds (${connections.sessionTtlSeconds}), else a session that may resume would find holes`;
    return { ok: false, problems: [problem] };
  }
  return {
    ok: true,
    settings: {
      generation,
      maxPerPod: connections.maxPerPod,
      sessionTtlMs: connections.sessionTtlSeconds * 1_000,
      heartbeatMs: connections.heartbeatSeconds * 1_000,
      history: { maxLength: history.maxLength, ttlMs: history.ttlSeconds * 1_000 },
      limits: { ...limits, ...given(parsed.data.limits) },
      namespaces: parsed.data.namespaces.map((namespace) => namespaceWith(namespace, history)),
      ...(parsed.data.routes === undefined ? {} : { routes: routesOf(parsed.data.routes) }),
      ...(parsed.data.permissions === undefined ? {} : { permissions: parsed.data.permissions.map(permissionOf) }),
    },
  };
}

type Parsed = z.output<typeof LIVE_FILE>;

function namespaceWith(
  { historyLength, historySeconds, ...traits }: Parsed["namespaces"][number],
  { maxLength, ttlSeconds }: Parsed["history"],
): Namespace {
  if (historyLength === undefined && historySeconds === undefined) return traits;
  const ttlMs = (historySeconds ?? ttlSeconds) * 1_000;
  return { ...traits, history: { maxLength: historyLength ?? maxLength, ttlMs } };
}

function routesOf(routes: NonNullable<z.output<typeof LIVE_FILE>["routes"]>): Routes {
  return Object.fromEntries(Object.entries(routes).map(([name, { url, ...rest }]) => [name, { url, ...given(rest) }]));
}

type FileRule = NonNullable<z.output<typeof LIVE_FILE>["permissions"]>[number];

function permissionOf({ names, actions, tenants, startsAt, endsAt }: FileRule): Permission {
  return {
    names,
    actions,
    ...(tenants === undefined ? {} : { tenants }),
    ...(startsAt === undefined ? {} : { startsAtMs: Date.parse(startsAt) }),
    ...(endsAt === undefined ? {} : { endsAtMs: Date.parse(endsAt) }),
  };
}

function given<T extends object>(settings: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

export const DEFAULT_SETTINGS: LiveSettings = {
  generation: 0,
  maxPerPod: 10_000,
  sessionTtlMs: WIRE_DEFAULTS.sessionTtlMs,
  heartbeatMs: WIRE_DEFAULTS.heartbeatMs,
  history: { maxLength: 1_000, ttlMs: 300_000 },
  limits: NO_LIMITS,
  namespaces: [],
};
