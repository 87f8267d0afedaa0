// Reads compressed blocks: channels that gather their messages (`namespaces[].batchMs`) send them a fifth to many times smaller to
// clients that can. The inflating function is the application's choice, so that pages without it pay nothing. Not here: when servers
// make blocks.

import { BLOCK_SEPARATOR, CLOSE } from "@wscluster/protocol";
import type { WebSocketFactory, WebSocketLike } from "./link.ts";
import { platformWebSocket } from "./options.ts";

/** Raw inflate (RFC 1951): `inflateSync` of fflate in pages, `inflateRawSync` of `node:zlib` in Node. Throws on broken input. */
export type Inflate = (block: Uint8Array) => Uint8Array;

/**
 * Sockets that read blocks, for the option `webSocket`: `connect({ url, webSocket: readingBlocks(inflateSync) })`.
 * @param webSocket default: the platform's WebSocket. Its sockets must give binary messages as they say in `binaryType`.
 */
export function readingBlocks(inflate: Inflate, webSocket?: WebSocketFactory): WebSocketFactory {
  return (url, subprotocol) => new BlockReader((webSocket ?? platformWebSocket(url))(url, subprotocol), inflate);
}

class BlockReader implements WebSocketLike {
  readonly caps = ["batch"] as const;
  onopen: WebSocketLike["onopen"] = null;
  onmessage: WebSocketLike["onmessage"] = null;
  onclose: WebSocketLike["onclose"] = null;
  onerror: WebSocketLike["onerror"] = null;
  readonly #socket: WebSocketLike;

  constructor(socket: WebSocketLike, inflate: Inflate) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = (event) => this.onopen?.(event);
    socket.onclose = (event) => this.onclose?.(event);
    socket.onerror = (event) => this.onerror?.(event);
    socket.onmessage = ({ data }) => {
      if (!(data instanceof ArrayBuffer)) return this.onmessage?.({ data });
      try {
        const texts = new TextDecoder().decode(inflate(new Uint8Array(data))).split(BLOCK_SEPARATOR);
        // The listener goes when the socket is given up, which one of these frames may bring about.
        for (const text of texts) this.onmessage?.({ data: text });
      } catch {
        // What it held is asked for again by the resume that follows.
        this.close(CLOSE.backoff, "broken block");
      }
    };
  }

  send(text: string): void {
    this.#socket.send(text);
  }

  close(code?: number, reason?: string): void {
    this.#socket.close(code, reason);
  }
}
