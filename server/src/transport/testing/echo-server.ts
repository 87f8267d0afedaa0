// The transport alone with an owner that sends back what it gets: what conformance suites talk to. Not here: sessions.

import type { ClientSocket, SocketOwner } from "../client-socket.ts";
import { Front } from "../front.ts";
import { OutputTick } from "../tick.ts";
import { binaryFrame, textFrame } from "../wire-frame.ts";

/** The suite sends messages of 16 MiB, and some in fragments of 64 bytes. */
const LARGEST_BYTES = 17 * 1024 * 1024;
const MOST_PARTS = 300_000;

class EchoOwner implements SocketOwner {
  readonly #socket: ClientSocket;

  constructor(socket: ClientSocket) {
    this.#socket = socket;
  }

  onText(text: string): void {
    this.#socket.push(textFrame(text));
  }

  onBinary(data: Buffer): void {
    this.#socket.push(binaryFrame(data));
  }

  onDrained(): void {}

  onClosed(): void {}
}

export function createEchoServer(port: number): Front {
  const marks = { softBytes: LARGEST_BYTES, hardBytes: 4 * LARGEST_BYTES, lowBytes: LARGEST_BYTES };
  return new Front(
    {
      port,
      host: "127.0.0.1",
      path: "/",
      allowedOrigins: [],
      podKey: "echo",
      marks,
      capacity: () => 1_000,
      sockets: () => 0,
      checkTicket: () => undefined,
      checkProbe: () => false,
      checkToken: () => Promise.resolve(true),
      addressHeader: undefined,
      admitsSocket: () => true,
      tokenCookie: undefined,
      lobby: { perSecond: 1_000 },
      headersTimeoutMs: undefined,
      messages: { maxPayload: LARGEST_BYTES, maxFragments: MOST_PARTS, maxBufferedChunks: MOST_PARTS },
    },
    {
      tick: new OutputTick(),
      onSocket: (socket) => {
        socket.owner = new EchoOwner(socket);
      },
      onRefused: () => {},
    },
  );
}
