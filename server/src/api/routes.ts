// The API for back ends, as one table: routes, bodies and the OpenAPI document come from it. On the admin port, with keys of its own.
// Not here: what is done (app/), the admin server.

import { createHash, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { AdminAnswer, AdminRoutes } from "@wscluster/platform";
import { PublishError } from "../app/publishing.ts";
import type { Services } from "../app/services.ts";
import { BrokerUnavailable } from "../broker/port.ts";
import { placeOf } from "../presence/presence.ts";
import { isChannelName, streamOfTarget } from "../session/channel-names.ts";
import type { ConnectionEntry } from "../session/directory.ts";

const BASE = "/api/v1";
const MAX_BULK = 100;

const name = () => z.string().min(1).max(128);
const tenant = name().default("default").describe("Tenant. Default: default.");

const TARGET = z.discriminatedUnion("type", [
  z.object({ type: z.literal("channel"), id: z.string().min(1).max(200), tenant }),
  z.object({ type: z.literal("user"), id: name(), tenant }).describe("All connected devices of a user (channel ~me)."),
  z.object({ type: z.literal("inbox"), id: name(), tenant }).describe("All devices of a user, also later."),
  z.object({ type: z.literal("session"), id: name(), tenant }),
  z.object({ type: z.literal("tenant"), id: name() }),
  z.object({ type: z.literal("all") }),
]);

const MESSAGE = z.object({
  target: TARGET,
  data: z.json(),
  key: name().optional().describe("What comes again under the same key within five minutes is stored once."),
});

const WHOM = z.union([z.object({ session: name() }), z.object({ user: name(), tenant })]);

const BODIES = {
  publish: z.object({ messages: z.array(MESSAGE).min(1).max(MAX_BULK) }),
  history: z.object({
    target: TARGET,
    after: z.int().min(0).default(0).describe("Offset after which to begin."),
    n: z.int().min(1).max(100).default(100),
  }),
  presence: z.object({
    channel: z.string().min(1).max(200),
    tenant,
    after: z
      .string()
      .regex(/^\d{1,20}$/)
      .optional()
      .describe("`next` of the page before."),
    n: z.int().min(1).max(500).default(100),
  }),
  disconnect: WHOM,
  revoke: WHOM,
  connections: z.object({ user: name(), tenant }),
} as const;

const SUMMARIES: Readonly<Record<keyof typeof BODIES, string>> = {
  publish: "Publish up to 100 messages. Each has its own result, in order: {epoch, offset, dup} or {error, message}.",
  history: "Messages of a channel or another target, oldest first.",
  presence: "Who is present in a channel, a page at a time.",
  disconnect: "Close the connections of a user or a session; they may come back.",
  revoke: "End the sessions of a user, and refuse tokens that were issued until now; or end one session for good.",
  connections:
    "Where a user is connected now, on all pods, newest first: {connections: [{session, device, pod}]}. Not clients without the subprotocol: only their own pod knows them.",
};

type Bodies = { readonly [K in keyof typeof BODIES]: z.output<(typeof BODIES)[K]> };
/** One user's connections on all pods. */
export type FindConnections = (tenant: string, user: string) => Promise<readonly ConnectionEntry[]>;
type Handlers = { readonly [K in keyof Bodies]: (body: Bodies[K]) => Promise<AdminAnswer> };

/** None without a key. */
export function apiRoutes(keys: readonly string[], services: Services, find: FindConnections): AdminRoutes {
  if (keys.length === 0) return {};
  const handlers = handlersFor(services, find);
  const routes = Object.keys(BODIES).map((route) => [
    `POST ${BASE}/${route}`,
    ({ headers, body }: Parameters<AdminRoutes[string]>[0]) => {
      if (!isKey(keys, headers.authorization)) return problem(401, "unauthorized", "Authorization: Bearer KEY");
      return run(handlers, route as keyof Bodies, body);
    },
  ]);
  return {
    ...(Object.fromEntries(routes) as AdminRoutes),
    [`GET ${BASE}/openapi.json`]: () => ({ status: 200, body: openApi() }),
  };
}

async function run<K extends keyof Bodies>(handlers: Handlers, route: K, body: Buffer): Promise<AdminAnswer> {
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    return problem(400, "bad-request", "the body is no JSON");
  }
  const parsed = BODIES[route].safeParse(value);
  if (!parsed.success) return problem(400, "bad-request", z.prettifyError(parsed.error));
  try {
    // The table pairs each body with its handler.
    return await handlers[route](parsed.data as Bodies[K]);
  } catch (error) {
    if (error instanceof BrokerUnavailable) return problem(503, "unavailable", error.message);
    throw error;
  }
}

function handlersFor(services: Services, find: FindConnections): Handlers {
  const { publisher, broker } = services;
  return {
    async publish({ messages }) {
      // At once: the store keeps the order in which they were handed over.
      const results = await Promise.all(
        messages.map(async ({ target, data, key }) => {
          try {
            return await publisher.publish(target, data, { from: "api", ...(key === undefined ? {} : { key }) });
          } catch (error) {
            if (!(error instanceof PublishError)) throw error;
            return { error: error.code, message: error.message };
          }
        }),
      );
      return { status: 200, body: { results } };
    },
    async history({ target, after, n }) {
      const stream = streamOfTarget(target);
      if (stream === undefined) return problem(400, "bad-target", "the target has no name that could exist");
      const { top, items } = await broker.read(stream, after, n);
      const messages = items.map(({ offset, epoch, user, ts, data }) => ({
        offset,
        epoch,
        publisher: user,
        timestamp: ts / 1_000,
        data: JSON.parse(data.toString()) as unknown,
      }));
      return { status: 200, body: { epoch: top.epoch, top: top.top, messages } };
    },
    async presence({ channel, tenant: of, after = "0", n }) {
      if (!isChannelName(channel)) return problem(400, "bad-target", "the channel has no name that could exist");
      const page = await broker.presence.page(placeOf(of, channel), after, n);
      const members = page.entries.map(({ member, visible }) => {
        const { u: user, d: data } = JSON.parse(visible) as { readonly u: string; readonly d: unknown };
        return { session: member, user, data };
      });
      return { status: 200, body: { count: page.count, members, ...(page.next ? { next: page.next } : {}) } };
    },
    async disconnect(whom) {
      await services.disconnect(whom);
      return { status: 202, body: { ok: true } };
    },
    async revoke(whom) {
      if ("session" in whom) await services.revokeSession(whom.session);
      else await services.revokeUser(whom.tenant, whom.user);
      return { status: 202, body: { ok: true } };
    },
    async connections({ tenant: of, user }) {
      return { status: 200, body: { connections: await find(of, user) } };
    },
  };
}

function problem(status: number, error: string, message: string): AdminAnswer {
  return { status, body: { error, message } };
}

function isKey(keys: readonly string[], authorization: string | undefined): boolean {
  const given = digestOf(/^Bearer +([^ ]+)$/i.exec(authorization ?? "")?.[1] ?? "");
  return keys.filter((key) => timingSafeEqual(digestOf(key), given)).length > 0;
}

function digestOf(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}

/** The document for tools that make clients of it. */
export function openApi(): Readonly<Record<string, unknown>> {
  const paths = Object.entries(BODIES).map(([route, body]) => [
    `${BASE}/${route}`,
    {
      post: {
        operationId: route,
        summary: SUMMARIES[route as keyof typeof SUMMARIES],
        security: [{ key: [] }],
        requestBody: {
          required: true,
          content: { "application/json": { schema: z.toJSONSchema(body, { io: "input" }) } },
        },
        responses: {
          "200": { description: "Done; 202 where it is only ordered." },
          "400": { description: "The body does not fit: {error, message}." },
          "401": { description: "No key, or not one of ours." },
          "503": { description: "The store did not answer in time; try again." },
        },
      },
    },
  ]);
  return {
    openapi: "3.1.0",
    info: { title: "wscluster back-end API", version: "1" },
    paths: Object.fromEntries(paths) as unknown,
    components: { securitySchemes: { key: { type: "http", scheme: "bearer" } } },
  };
}
