// The least of a WebSocket for tests of a proxy: the upgrade by hand, then bytes. No frames, because HAProxy looks at none.
import { createServer, request, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";

export type TestPod = {
  readonly key: string;
  readonly port: number;
  /** Headers of each upgrade that came, in order. */
  readonly arrivals: { readonly url: string; readonly headers: IncomingHttpHeaders }[];
  /** KEYs that checks asked for. */
  readonly checks: string[];
  readonly open: number;
  close(): Promise<void>;
};

/** A pod that says its KEY on each upgrade and then echoes. Like a real one it answers 421 to what means another pod. */
export async function startPod(key: string): Promise<TestPod> {
  const arrivals: TestPod["arrivals"] = [];
  const checks: string[] = [];
  const sockets = new Set<Duplex>();
  const meansUs = (headers: IncomingHttpHeaders): boolean => headers["x-wscluster-pod"] === key;
  const server = createServer((incoming, response) => {
    checks.push(String(incoming.headers["x-wscluster-pod"]));
    response.writeHead(meansUs(incoming.headers) ? 200 : 421).end();
  });
  server.on("upgrade", (incoming, socket: Duplex) => {
    socket.on("error", () => socket.destroy());
    const named = new URL(incoming.url ?? "/", "http://test").searchParams.get("pod");
    if (!meansUs(incoming.headers) || (named !== null && named !== key)) {
      socket.end("HTTP/1.1 421 Misdirected Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
      return;
    }
    arrivals.push({ url: incoming.url ?? "", headers: incoming.headers });
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${ACCEPT}\r\nx-pod: ${key}\r\n\r\n`,
    );
    socket.on("data", (chunk: Buffer) => socket.write(chunk));
    socket.on("end", () => socket.end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    key,
    port: (server.address() as AddressInfo).port,
    arrivals,
    checks,
    get open() {
      return sockets.size;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

// HAProxy refuses an upgrade without a key (RFC 6455, 4.2.1).
const UPGRADE_HEADERS = {
  host: "edge",
  connection: "upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};
/** The answer to the key above, from the RFC's example. */
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

export type TestAnswer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string };

export type TestSocket = {
  /** KEY of the pod at the other end. */
  readonly pod: string;
  /** Sends and waits for the echo. */
  echo(text: string): Promise<string>;
  readonly isOpen: boolean;
  close(): Promise<void>;
};

/** Path of a unix socket, or an address. */
export type Target = string | { readonly host: string; readonly port: number };

const optionsFor = (target: Target) => (typeof target === "string" ? { socketPath: target } : target);

/** A socket, or the answer that refused it. */
export function dial(
  target: Target,
  path: string,
  headers: Record<string, string> = {},
): Promise<TestSocket | TestAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      ...optionsFor(target),
      path,
      headers: { ...UPGRADE_HEADERS, ...headers },
    });
    outgoing.on("upgrade", (response, socket) => resolve(socketFor(String(response.headers["x-pod"]), socket)));
    outgoing.on("response", (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (body += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}

/** @throws when it was refused */
export async function dialOpen(target: Target, path: string, headers?: Record<string, string>): Promise<TestSocket> {
  const result = await dial(target, path, headers);
  if ("pod" in result) return result;
  throw new Error(`refused: ${result.status} ${result.body}`);
}

export async function dialRefused(socketPath: string, path: string): Promise<TestAnswer> {
  const result = await dial(socketPath, path);
  if (!("pod" in result)) return result;
  await result.close();
  throw new Error(`not refused: it reached ${result.pod}`);
}

/** An ordinary GET. */
export function get(socketPath: string, path: string): Promise<TestAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path, headers: { host: "edge", connection: "close" } }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (body += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}

function socketFor(pod: string, socket: Socket): TestSocket {
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => socket.destroy());
  socket.setEncoding("utf8");
  socket.resume();
  return {
    pod,
    async echo(text) {
      const echoed = new Promise<string>((resolve, reject) => {
        socket.once("data", (chunk: string) => resolve(chunk));
        void closed.then(() => reject(new Error("the socket was cut")));
      });
      socket.write(text);
      return echoed;
    },
    get isOpen() {
      return !socket.destroyed;
    },
    async close() {
      socket.end();
      socket.destroy();
      await closed;
    },
  };
}
