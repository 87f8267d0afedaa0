// A socket of `ws` as the SDK wants it, with every stamp noted on the way: the run's evidence does not come from the SDK.
import type { WebSocketLike } from "@wscluster/client";
import { WebSocket } from "ws";
import type { SocketEntry } from "./socket-journal.ts";

export class JournaledSocket implements WebSocketLike {
  onopen: WebSocketLike["onopen"] = null;
  onmessage: WebSocketLike["onmessage"] = null;
  onclose: WebSocketLike["onclose"] = null;
  onerror: WebSocketLike["onerror"] = null;
  readonly #entry: SocketEntry;
  readonly #socket: WebSocket;

  constructor(url: string, subprotocol: string, entry: SocketEntry) {
    this.#entry = entry;
    const socket = new WebSocket(url, subprotocol, { perMessageDeflate: false });
    this.#socket = socket;
    socket.on("open", () => {
      entry.opened();
      this.onopen?.({});
    });
    socket.on("message", (data, isBinary) => {
      const text = !isBinary && Buffer.isBuffer(data) ? data.toString("utf8") : data;
      if (typeof text === "string") entry.received(text);
      this.onmessage?.({ data: text });
    });
    socket.on("close", (code, reason) => {
      entry.closed(code);
      this.onclose?.({ code, reason: reason.toString() });
    });
    socket.on("error", (error) => this.onerror?.(error));
  }

  send(text: string): void {
    this.#entry.sent(text);
    this.#socket.send(text);
  }

  close(code?: number, reason?: string): void {
    this.#entry.closing();
    this.#socket.close(code, reason);
  }
}
