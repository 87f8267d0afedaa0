// The client port: health answer, WebSocket upgrades, refusals as real HTTP statuses. Not here: who is let in (admission.ts), frames.

import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { IncomingMessage, Server as HttpServer, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { Server } from "ws";
import {
  ADMISSION,
  EDGE_HEADER,
  NAMED_ARRIVAL,
  POD_HEADER,
  PROBE_HEADER,
  SUBPROTOCOL,
  WIRE_DEFAULTS,
} from "@wscluster/protocol";
import type { Ticket } from "@wscluster/protocol";
import { admissionOf } from "./admission.ts";
import { addressOf } from "./client-address.ts";
import { Carrier, ClientSocket } from "./client-socket.ts";
import type { Arrival, QueueMarks } from "./client-socket.ts";
import { UPGRADE_ERRORS, refusalOf, refusalText } from "./errors.ts";
import type { UpgradeErrorCode } from "./errors.ts";
import { LOBBY_DEFAULTS, Lobby } from "./lobby.ts";
import type { Arriving, LobbySettings } from "./lobby.ts";
import type { TlsFiles } from "./tls-files.ts";
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
  /** Whether the header opens a probe; uses it up. */
  readonly checkProbe: (header: string) => boolean;
  /** For the rare client that sends its token as a header too: refused before a slot is taken. */
  readonly checkToken: (token: string) => Promise<boolean>;
  /** Header in which a proxy that is trusted tells the client's address; absent = the peer of the TCP connection. */
  readonly addressHeader: string | undefined;
  readonly admitsSocket: (address: string) => boolean;
  /** Cookie that carries a token; heeded only where origins are checked, else any page could use its visitor's. */
  readonly tokenCookie: string | undefined;
  /** Certificate of the port; absent = without TLS. */
  readonly tls?: TlsFiles | undefined;
  /** Absent = `LOBBY_DEFAULTS`. */
  readonly lobby: Partial<LobbySettings> | undefined;
  /** How long a client may take for its request's headers. Default 5 s. */
  readonly headersTimeoutMs: number | undefined;
  /** Other bounds of what a client sends; for tests of the transport alone. */
  readonly messages?: MessageLimits;
};

export type FrontHooks = {
  readonly tick: OutputTick;
  onSocket(socket: ClientSocket): void;
  onRefused(status: number): void;
};

export type MessageLimits = {
  /** Bytes. */
  readonly maxPayload: number;
  readonly maxFragments: number;
  readonly maxBufferedChunks: number;
};

const MESSAGE_LIMITS: MessageLimits = {
  maxPayload: WIRE_DEFAULTS.maxPayloadBytes,
  // Tiny fragments cost memory beyond maxPayload (GHSA of ws 8.21.0): far fewer than its defaults do for us.
  maxFragments: 1_024,
  maxBufferedChunks: 4_096,
};

const HANDSHAKE_BACKLOG = 4_096;
const HEADERS_TIMEOUT_MS = 5_000;
/** A refused client that does not read its answer is not waited for any longer. */
const REFUSED_CLOSE_MS = 2_000;

export class Front {
  readonly #options: FrontOptions;
  readonly #hooks: FrontHooks;
  readonly lobby: Lobby;
  readonly #wss: Server<typeof Carrier>;
  #server: HttpServer | undefined;
  #stopping = false;

  constructor(options: FrontOptions, hooks: FrontHooks) {
    this.#options = options;
    this.#hooks = hooks;
    this.lobby = new Lobby({
      settings: { ...LOBBY_DEFAULTS, ...options.lobby },
      facts: () => ({ nowMs: performance.now(), activeMs: performance.eventLoopUtilization().active }),
      hasSlot: () => options.sockets() < options.capacity(),
    });
    // `closeTimeout` is newer than the types, hence not a literal in the call.
    const settings = {
      noServer: true,
      WebSocket: Carrier,
      clientTracking: false,
      perMessageDeflate: false,
      ...MESSAGE_LIMITS,
      ...options.messages,
      closeTimeout: 5_000,
      handleProtocols: () => SUBPROTOCOL,
    };
    this.#wss = new WebSocketServer(settings);
  }

  async start(): Promise<number> {
    const headersTimeout = this.#options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS;
    const limits = {
      maxHeaderSize: 16 * 1024,
      // Whoever sends a byte now and then holds a socket for this long and no longer; Node.js looks only every 30 s by default.
      headersTimeout,
      requestTimeout: headersTimeout * 2,
      connectionsCheckingInterval: Math.min(1_000, headersTimeout / 2),
      keepAliveTimeout: 5_000,
    };
    const onRequest = (request: IncomingMessage, response: ServerResponse) => this.#onRequest(request, response);
    const { tls } = this.#options;
    const server = tls
      ? createTlsServer({ ...limits, ...(await tls.first()), minVersion: "TLSv1.2" }, onRequest)
      : createServer(limits, onRequest);
    this.#server = server;
    if (tls && "setSecureContext" in server) tls.watch((pair) => server.setSecureContext(pair));
    server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#onUpgrade(request, socket as Socket, head);
    });
    server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      if (error.code === "ECONNRESET" || !socket.writable) socket.destroy();
      else this.#refuse(socket, CLIENT_ERRORS[error.code ?? ""] ?? "bad-request");
    });
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
    this.#options.tls?.stop();
    this.lobby.stop();
  }

  async stop(): Promise<void> {
    this.refuse();
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
    const { addressHeader } = this.#options;
    const forwarded = addressHeader === undefined ? undefined : headerOf(request, addressHeader);
    const address = addressOf(forwarded, socket.remoteAddress);
    const probe = headerOf(request, PROBE_HEADER);
    const isProbe = probe === undefined ? undefined : this.#options.checkProbe(probe);
    const admission = admissionOf({
      probe: isProbe,
      path: url.pathname,
      wantedPath: this.#options.path,
      version: request.headers["sec-websocket-version"],
      protocols: (request.headers["sec-websocket-protocol"] ?? "").split(",").flatMap((name) => name.trim() || []),
      origin: request.headers.origin,
      allowedOrigins: this.#options.allowedOrigins,
      podHeader: headerOf(request, POD_HEADER),
      podParameter: pod,
      ticket: ticketText === null ? undefined : this.#options.checkTicket(ticketText),
      podKey: this.#options.podKey,
      sockets: this.#options.sockets(),
      capacity: this.#options.capacity(),
      addressIsFull: pod === undefined && !this.#options.admitsSocket(address),
      stopping: this.#stopping,
    });
    if (!admission.take) return this.#refuse(socket, admission.code);
    const { authorization } = request.headers;
    const shake = () => this.#take(request, socket, head, { ...admission, address, probe: isProbe === true });
    const visitor: Arriving = {
      isGone: () => socket.destroyed,
      take: () => {
        if (this.#stopping) this.#refuse(socket, "stopping");
        else if (authorization === undefined) shake();
        else void this.#checkToken(authorization, socket, shake);
      },
      refuse: (code, retryAfterMs) => this.#refuse(socket, code, retryAfterMs),
    };
    if (admission.named || isProbe === true) this.lobby.bypass(visitor);
    else this.lobby.arrive(visitor);
  }

  async #checkToken(authorization: string, socket: Duplex, take: () => void): Promise<void> {
    const token = /^Bearer +([^ ]+)$/i.exec(authorization)?.[1];
    const isValid = token !== undefined && (await this.#options.checkToken(token));
    if (socket.destroyed) return;
    if (!isValid) this.#refuse(socket, "unauthorized");
    else if (this.#stopping) this.#refuse(socket, "stopping");
    else take();
  }

  #take(request: IncomingMessage, socket: Socket, head: Buffer, admitted: Omit<Arrival, "edge">): void {
    const { named, plain, address, probe } = admitted;
    const edge = headerOf(request, EDGE_HEADER) ?? "";
    const { tokenCookie, allowedOrigins } = this.#options;
    const token =
      allowedOrigins.length > 0 && probe !== true ? cookieOf(request.headers.cookie, tokenCookie) : undefined;
    const arrival: Arrival = {
      named,
      plain,
      edge,
      ...(address === undefined ? {} : { address }),
      ...(probe === true ? { probe } : {}),
      ...(token === undefined ? {} : { token }),
    };
    this.#wss.handleUpgrade(request, socket, head, (ws) => {
      socket.setNoDelay(true);
      this.#hooks.onSocket(new ClientSocket(ws, socket, this.#hooks.tick, this.#options.marks, arrival));
    });
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const path = pathOf(request);
    if (path === "/healthz") {
      response.writeHead(200, { "content-type": "text/plain" }).end("ok");
      return;
    }
    if (path === ADMISSION.path) {
      const windowMs = Math.round(this.lobby.windowMs());
      const headers = {
        "content-type": "application/json",
        "cache-control": "no-store",
        "access-control-allow-origin": "*",
      };
      response.writeHead(200, headers).end(JSON.stringify({ admit: windowMs === 0, windowMs }));
      return;
    }
    const { status, headers, body } = refusalOf(path === this.#options.path ? "upgrade-needed" : "no-such-path");
    this.#hooks.onRefused(status);
    response.writeHead(status, headers).end(body);
  }

  #refuse(socket: Duplex, code: UpgradeErrorCode, retryAfterMs?: number): void {
    this.#hooks.onRefused(UPGRADE_ERRORS[code].status);
    socket.end(refusalText(code, retryAfterMs));
    socket.resume();
    setTimeout(() => socket.destroy(), REFUSED_CLOSE_MS).unref();
  }
}

const CLIENT_ERRORS: Readonly<Record<string, UpgradeErrorCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: "timeout",
  HPE_HEADER_OVERFLOW: "headers-too-large",
};

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function cookieOf(cookies: string | undefined, name: string | undefined): string | undefined {
  if (cookies === undefined || name === undefined) return undefined;
  for (const part of cookies.split(";")) {
    const at = part.indexOf("=");
    if (part.slice(0, at).trim() === name) return part.slice(at + 1).trim();
  }
  return undefined;
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").split("?", 1)[0] ?? "/";
}
