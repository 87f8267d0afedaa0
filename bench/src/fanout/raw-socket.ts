// A WebSocket client on a bare TCP socket that only counts: a receiver's own cost must not hide the server's.
// Not for use elsewhere: no close handshake, no fragments, no compression.
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";

const TEXT = 0x1;
const PING = 0x9;
const PONG = 0xa;

/** A masked frame with a payload below 64 KiB, as clients send it. */
export function clientFrame(opcode: number, payload: Buffer): Buffer {
  const mask = randomBytes(4);
  const isShort = payload.length < 126;
  const head = Buffer.alloc(isShort ? 2 : 4);
  head[0] = 0x80 | opcode;
  head[1] = 0x80 | (isShort ? payload.length : 126);
  if (!isShort) head.writeUInt16BE(payload.length, 2);
  const body = Buffer.from(payload);
  for (let index = 0; index < body.length; index += 1) body[index] = (body[index] ?? 0) ^ (mask[index & 3] ?? 0);
  return Buffer.concat([head, mask, body]);
}

/** Splits a byte stream of server frames; keeps what is incomplete. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);
  readonly #onFrame: (opcode: number, payload: Buffer) => void;

  constructor(onFrame: (opcode: number, payload: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  push(chunk: Buffer): void {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (data.length - at >= 2) {
      const opcode = (data[at] ?? 0) & 0x0f;
      let length = (data[at + 1] ?? 0) & 0x7f;
      let head = 2;
      if (length === 126) {
        if (data.length - at < 4) break;
        length = data.readUInt16BE(at + 2);
        head = 4;
      } else if (length === 127) {
        if (data.length - at < 10) break;
        length = Number(data.readBigUInt64BE(at + 2));
        head = 10;
      }
      if (data.length - at < head + length) break;
      this.#onFrame(opcode, data.subarray(at + head, at + head + length));
      at += head + length;
    }
    this.#rest = at === data.length ? Buffer.alloc(0) : Buffer.from(data.subarray(at));
  }
}

export type RawSocketOptions = {
  readonly port: number;
  readonly path: string;
  readonly subprotocol?: string;
  readonly onText: (payload: Buffer) => void;
};

export class RawSocket {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Resolves after the upgrade. */
  static open(options: RawSocketOptions): Promise<RawSocket> {
    const { promise, resolve, reject } = Promise.withResolvers<RawSocket>();
    const socket = connect({ host: "127.0.0.1", port: options.port, noDelay: true });
    const raw = new RawSocket(socket);
    const reader = new FrameReader((opcode, payload) => {
      if (opcode === TEXT) options.onText(payload);
      else if (opcode === PING) socket.write(clientFrame(PONG, payload));
    });
    let head = "";
    const onHead = (chunk: Buffer): void => {
      head += chunk.toString("latin1");
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      socket.off("data", onHead);
      if (!head.startsWith("HTTP/1.1 101")) {
        reject(new Error(`cannot upgrade on port ${options.port}: ${head.slice(0, head.indexOf("\r\n"))}`));
        socket.destroy();
        return;
      }
      socket.on("data", (data) => reader.push(data));
      reader.push(Buffer.from(head.slice(end + 4), "latin1"));
      resolve(raw);
    };
    socket.on("data", onHead);
    socket.on("error", reject);
    const lines = [
      `GET ${options.path} HTTP/1.1`,
      `Host: 127.0.0.1:${options.port}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
      "Sec-WebSocket-Version: 13",
      ...(options.subprotocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${options.subprotocol}`]),
    ];
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    return promise;
  }

  send(text: string): void {
    this.#socket.write(clientFrame(TEXT, Buffer.from(text)));
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
