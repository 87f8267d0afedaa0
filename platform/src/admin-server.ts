// The admin port of a process: probes, metrics and a few JSON routes over node:http. Not here: what the routes answer.

import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type AdminRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  /** Bytes as they came: signatures are over bytes. */
  readonly body: Buffer;
};

export type AdminAnswer = {
  readonly status: number;
  /** Text goes out as it is, anything else as JSON. */
  readonly body: unknown;
  readonly contentType?: string;
};

export type AdminRoute = (request: AdminRequest) => AdminAnswer | Promise<AdminAnswer>;

/** Routes by `METHOD /path`. */
export type AdminRoutes = Readonly<Record<string, AdminRoute>>;

export type AdminServer = {
  /** The port that it listens on. */
  start(): Promise<number>;
  stop(): Promise<void>;
};

/**
 * Longer than the pause between two scrapes (Prometheus: up to a minute), so that a scraper keeps its connection; and the
 * scraper, not we, ends it: a request that meets our end of an idle connection is lost.
 */
const KEEP_ALIVE_MS = 75_000;
const MAX_BODY_BYTES = 64 * 1024;

/** @param port 0 picks a free one. */
export function createAdminServer(
  options: { readonly port: number; readonly host?: string },
  routes: AdminRoutes,
): AdminServer {
  let server: Server | undefined;
  return {
    async start() {
      const limits = { maxHeaderSize: 16 * 1024, requestTimeout: 10_000, keepAliveTimeout: KEEP_ALIVE_MS };
      const created = createServer(limits, (request, response) => {
        void answer(routes, request, response);
      });
      server = created;
      await new Promise<void>((resolve, reject) => {
        created.once("error", reject);
        created.listen(options.port, options.host, () => {
          created.off("error", reject);
          resolve();
        });
      });
      return (created.address() as AddressInfo).port;
    },
    async stop() {
      const current = server;
      server = undefined;
      if (!current) return;
      await new Promise<void>((resolve) => {
        current.close(() => resolve());
        current.closeAllConnections();
      });
    },
  };
}

async function answer(routes: AdminRoutes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const result = await answerFor(routes, request).catch((error: unknown) => ({
    status: 500,
    body: { ok: false, message: error instanceof Error ? error.message : "internal error" },
  }));
  const text = typeof result.body === "string" ? result.body : JSON.stringify(result.body);
  const type =
    "contentType" in result && result.contentType !== undefined
      ? result.contentType
      : typeof result.body === "string"
        ? "text/plain; charset=utf-8"
        : "application/json";
  response.writeHead(result.status, {
    "content-type": type,
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
  });
  response.end(text);
}

async function answerFor(routes: AdminRoutes, request: IncomingMessage): Promise<AdminAnswer> {
  const method = request.method ?? "GET";
  const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
  const route = routes[`${method === "HEAD" ? "GET" : method} ${path}`];
  if (!route) {
    const known = Object.keys(routes).some((name) => name.endsWith(` ${path}`));
    return known
      ? { status: 405, body: { ok: false, message: `${method} is not served on ${path}` } }
      : { status: 404, body: { ok: false, message: `no such path: ${path}` } };
  }
  const body = await readBody(request);
  if (!body) return { status: 413, body: { ok: false, message: `the body is larger than ${MAX_BODY_BYTES} bytes` } };
  return route({ method, path, headers: request.headers, body });
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
