// The client port: health answer, WebSocket upgrades, refusals as real HTTP statuses. Not here: who is let in (admission.ts), frames.

import { STATUS_CODES, createServer } from "node:http";
import type { IncomingMessage, Server as HttpServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { Server } from "ws";
import { EDGE_HEADER, NAMED_ARRIVAL, POD_HEADER, SUBPROTOCOL, WIRE_DEFAULTS } from "@wscluster/protocol";
import type { Ticket } from "@wscluster/protocol";
import { admissionOf } from "./admission.ts";
import { Carrier, ClientSocket } from "./client-socket.ts";
import type { QueueMarks } from "./client-socket.ts";
import type { OutputTick } from "./tick.ts";

export type FrontOptions = {
  readonly port: number;
  readonly host: string | undefined;
  readonly path: string;
  readonly allowedOrigins: readonly string[];
  readonly podKey: string;
  readonly marks: QueueMarks;
  readonly capacity: () => number;
  readonly sockets: () => number;
  readonly checkTicket: (text: string) => Ticket | undefined;
};

export type FrontHooks = {
  readonly tick: OutputTick;
  onSocket(socket: ClientSocket): void;
};

const HANDSHAKE_BACKLOG = 4_096;

export class Front {
  readonly #options: FrontOptions;
  readonly #hooks: FrontHooks;
  readonly #wss: Server<typeof Carrier>;
  #server: HttpServer | undefined;
  #stopping = false;

  constructor(options: FrontOptions, hooks: FrontHooks) {
    this.#options = options;
    this.#hooks = hooks;
    // `closeTimeout` is newer than the types, hence not a literal in the call.
    const settings = {
      noServer: true,
      WebSocket: Carrier,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: WIRE_DEFAULTS.maxPayloadBytes,
      // Tiny fragments cost memory beyond maxPayload (GHSA of ws 8.21.0): far fewer than its defaults do for us.
      maxFragments: 1_024,
      maxBufferedChunks: 4_096,
      closeTimeout: 5_000,
      handleProtocols: () => SUBPROTOCOL,
    };
    this.#wss = new WebSocketServer(settings);
  }

  async start(): Promise<number> {
    const server = createServer({ maxHeaderSize: 16 * 1024, requestTimeout: 10_000 }, (request, response) => {
      const path = pathOf(request);
      if (path === "/healthz") response.writeHead(200, { "content-type": "text/plain" }).end("ok");
      else if (path === this.#options.path) {
        response.writeHead(426, { upgrade: "websocket", connection: "close" }).end("a WebSocket upgrade is needed");
      } else response.writeHead(404).end();
    });
    this.#server = server;
    server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#onUpgrade(request, socket as Socket, head);
    });
    server.on("clientError", (_error, socket) => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ port: this.#options.port, host: this.#options.host, backlog: HANDSHAKE_BACKLOG }, () => {
        server.off("error", reject);
        resolve();
      });
    });
    return (server.address() as AddressInfo).port;
  }

  /** Refuses all new sockets from now on. */
  refuse(): void {
    this.#stopping = true;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  #onUpgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    const url = new URL(request.url ?? "/", "http://pod");
    const pod = url.searchParams.get(NAMED_ARRIVAL.pod) ?? undefined;
    const ticketText = url.searchParams.get(NAMED_ARRIVAL.ticket);
    const admission = admissionOf({
      path: url.pathname,
      wantedPath: this.#options.path,
      protocols: (request.headers["sec-websocket-protocol"] ?? "").split(",").flatMap((name) => name.trim() || []),
      origin: request.headers.origin,
      allowedOrigins: this.#options.allowedOrigins,
      podHeader: headerOf(request, POD_HEADER),
      podParameter: pod,
      ticket: ticketText === null ? undefined : this.#options.checkTicket(ticketText),
      podKey: this.#options.podKey,
      sockets: this.#options.sockets(),
      capacity: this.#options.capacity(),
      stopping: this.#stopping,
    });
    if (!admission.take) {
      refuse(socket, admission.status, admission.message, admission.retryAfterSeconds);
      return;
    }
    const arrival = { named: admission.named, plain: admission.plain, edge: headerOf(request, EDGE_HEADER) ?? "" };
    this.#wss.handleUpgrade(request, socket, head, (ws) => {
      socket.setNoDelay(true);
      this.#hooks.onSocket(new ClientSocket(ws, socket, this.#hooks.tick, this.#options.marks, arrival));
    });
  }
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").split("?", 1)[0] ?? "/";
}

function refuse(socket: Socket, status: number, message: string, retryAfterSeconds: number | undefined): void {
  const retry = retryAfterSeconds === undefined ? "" : `Retry-After: ${retryAfterSeconds}\r\n`;
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\nConnection: close\r\nContent-Type: text/plain\r\n` +
      `Content-Length: ${Buffer.byteLength(message)}\r\n${retry}\r\n${message}`,
  );
}
