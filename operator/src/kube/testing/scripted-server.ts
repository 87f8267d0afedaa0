// An HTTP server that answers as a test says, request by request, and counts what matters: connections and open watches.
// It is no fake API server: it stores nothing and checks nothing.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { systemClock } from "../../runtime/clock.ts";
import { KubeClient, type KubeClientOptions } from "../client.ts";
import type { ClusterAccess } from "../config.ts";
import { Connection } from "../connection.ts";

export type SeenRequest = {
  method: string;
  url: URL;
  headers: IncomingMessage["headers"];
  body: string;
  isWatch: boolean;
};

export type Script = (request: SeenRequest, response: ServerResponse) => void;

export type ScriptedServer = {
  readonly access: ClusterAccess;
  readonly client: KubeClient;
  readonly connection: Connection;
  readonly requests: SeenRequest[];
  readonly lists: SeenRequest[];
  readonly watches: SeenRequest[];
  /** TCP connections ever accepted. */
  readonly connectionCount: number;
  /** Watch requests whose response has not ended. */
  readonly openWatches: number;
  /** Cuts every connection without a word. */
  resetAll(): void;
  close(): Promise<void>;
};

export async function startScriptedServer(
  script: Script,
  options: Partial<Omit<KubeClientOptions, "connection">> & { token?: () => string } = {},
): Promise<ScriptedServer> {
  const requests: SeenRequest[] = [];
  const sockets = new Set<Socket>();
  let connectionCount = 0;
  let openWatches = 0;
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const url = new URL(incoming.url ?? "/", "http://test");
      const seen: SeenRequest = {
        method: incoming.method ?? "",
        url,
        headers: incoming.headers,
        body: Buffer.concat(chunks).toString("utf8"),
        isWatch: url.searchParams.get("watch") === "true",
      };
      requests.push(seen);
      if (seen.isWatch) {
        openWatches++;
        response.once("close", () => openWatches--);
      }
      script(seen, response);
    });
  });
  server.on("connection", (socket) => {
    connectionCount++;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const { token = () => "token", ...clientOptions } = options;
  const access: ClusterAccess = {
    server: `http://127.0.0.1:${port}`,
    credentials: () => Promise.resolve({ headers: { authorization: `Bearer ${token()}` }, tls: {} }),
  };
  const clock = clientOptions.clock ?? systemClock;
  const connection = new Connection(access, clock);
  const client = new KubeClient({ fieldManager: "test", clock, ...clientOptions, connection });
  return {
    access,
    client,
    connection,
    requests,
    get lists() {
      return requests.filter((request) => request.method === "GET" && !request.isWatch);
    },
    get watches() {
      return requests.filter((request) => request.isWatch);
    },
    get connectionCount() {
      return connectionCount;
    },
    get openWatches() {
      return openWatches;
    },
    resetAll() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    async close() {
      await connection.close();
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

export function answerJson(
  response: ServerResponse,
  body: unknown,
  status = 200,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

export function answerStatus(response: ServerResponse, code: number, reason: string, more: object = {}): void {
  answerJson(
    response,
    { kind: "Status", status: "Failure", code, reason, message: `server says ${reason}`, ...more },
    code,
  );
}

/** Begins a watch response; write lines with `sendLine`. */
export function openStream(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.flushHeaders();
}

export function sendLine(response: ServerResponse, event: unknown): void {
  response.write(`${JSON.stringify(event)}\n`);
}

export type PodOptions = { uid?: string; labels?: Record<string, string>; ownerUid?: string; namespace?: string };

export function podJson(name: string, version: number | string, options: PodOptions = {}) {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: options.namespace ?? "default",
      uid: options.uid ?? `uid-${name}`,
      resourceVersion: String(version),
      managedFields: [{ manager: "someone" }],
      ...(options.labels === undefined ? {} : { labels: options.labels }),
      ...(options.ownerUid === undefined
        ? {}
        : { ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "owner", uid: options.ownerUid }] }),
    },
  };
}

export function listJson(version: number | string, items: unknown[], next?: string): unknown {
  return {
    kind: "PodList",
    apiVersion: "v1",
    metadata: { resourceVersion: String(version), ...(next === undefined ? {} : { continue: next }) },
    items,
  };
}
