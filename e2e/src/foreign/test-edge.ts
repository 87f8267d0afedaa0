// The smallest edge: one port before several servers, `?pod=KEY` picks one. Not here: what a real edge does more (operator/src/edge).

import { createServer } from "node:http";
import { connect } from "node:net";
import { ADMISSION } from "@wscluster/protocol";
import type { AddressInfo, Socket } from "node:net";
import type { TestServer } from "@wscluster/server/testing";

export type TestEdge = {
  /** `ws://127.0.0.1:PORT/ws`. */
  readonly url: string;
  /** Where arrivals without a name go. */
  takesNew: TestServer;
  /** Above 0: nobody is let in, and those who ask are told to come back within so many milliseconds. */
  brakeMs: number;
  /** Breaks every connection without a close frame. */
  cutAll(): void;
  stop(): Promise<void>;
};

export async function startTestEdge(servers: readonly TestServer[], takesNew: TestServer): Promise<TestEdge> {
  const sockets = new Set<Socket>();
  const edge = { takesNew, brakeMs: 0 };
  const http = createServer((request, response) => {
    if (request.url !== ADMISSION.path) return response.writeHead(426).end();
    const headers = { "content-type": "application/json", "access-control-allow-origin": "*" };
    return response.writeHead(200, headers).end(JSON.stringify({ admit: edge.brakeMs === 0, windowMs: edge.brakeMs }));
  });
  http.on("upgrade", (request, stream, head) => {
    const named = new URL(request.url ?? "/", "http://edge").searchParams.get("pod");
    const target = servers.find((server) => server.podKey === named) ?? edge.takesNew;
    const inner = stream as Socket;
    if (edge.brakeMs > 0) {
      inner.end("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n\r\n");
      return;
    }
    const outer = connect(Number(new URL(target.url).port), "127.0.0.1");
    outer.write(`${request.method} ${request.url} HTTP/1.1\r\n`);
    for (let at = 0; at < request.rawHeaders.length; at += 2) {
      outer.write(`${request.rawHeaders[at]}: ${request.rawHeaders[at + 1]}\r\n`);
    }
    outer.write("\r\n");
    outer.write(head);
    inner.pipe(outer).pipe(inner);
    for (const [one, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const cutAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}/ws`,
    get takesNew() {
      return edge.takesNew;
    },
    set takesNew(server) {
      edge.takesNew = server;
    },
    get brakeMs() {
      return edge.brakeMs;
    },
    set brakeMs(milliseconds) {
      edge.brakeMs = milliseconds;
    },
    cutAll,
    async stop() {
      cutAll();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}
