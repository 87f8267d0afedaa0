// A WebSocket client on a bare TCP socket that only counts: a receiver's own cost must not hide the server's.
// Not for use elsewhere: no close handshake, no fragments, no compression.
import { randomBytes } from "node:crypto";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import { FrameStream, type FrameStreamOptions } from "./frame-stream.ts";

const TEXT = 0x1;
const PONG = 0xa;
const READ_BYTES = 256 * 1024;
const END_OF_HEAD = "\r\n\r\n";
/** All sockets read into it, one after another: a read costs no allocation. */
const SHARED = Buffer.alloc(READ_BYTES);
/** Four zeros are a mask too, and spare the sender the masking. */
const MASK = Buffer.alloc(4);

/** A masked frame with a payload below 64 KiB, as clients send it. */
export function clientFrame(opcode: number, payload: Buffer): Buffer {
  const isShort = payload.length < 126;
  const head = Buffer.alloc(isShort ? 2 : 4);
  head[0] = 0x80 | opcode;
  head[1] = 0x80 | (isShort ? payload.length : 126);
  if (!isShort) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, MASK, payload]);
}

export type RawSocketOptions = {
  readonly port: number;
  readonly path: string;
  readonly subprotocol?: string;
  /** Own address, for more connections than one address has ports. */
  readonly localAddress?: string;
  readonly messageBytes?: number;
  readonly lines?: boolean;
  readonly onMessages?: FrameStreamOptions["onMessages"];
  readonly onClosed?: () => void;
};

export class RawSocket {
  readonly stream: FrameStream;
  #socket: Socket | undefined;
  #head = "";
  #isOpen = false;

  private constructor(options: RawSocketOptions) {
    this.stream = new FrameStream({
      messageBytes: options.messageBytes ?? 0,
      lines: options.lines ?? false,
      onMessages: options.onMessages ?? ignore,
      onPing: (payload) => void this.#socket?.write(clientFrame(PONG, payload)),
    });
  }

  /** Resolves after the upgrade. */
  static open(options: RawSocketOptions): Promise<RawSocket> {
    const { promise, resolve, reject } = Promise.withResolvers<RawSocket>();
    const raw = new RawSocket(options);
    const onRead = (length: number): boolean => {
      if (raw.#isOpen) raw.stream.push(SHARED, length);
      else raw.#pushHead(length, options.port, resolve, reject);
      return true;
    };
    const target: NetConnectOpts = {
      host: "127.0.0.1",
      port: options.port,
      noDelay: true,
      ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
      onread: { buffer: SHARED, callback: onRead },
    };
    const socket = connect(target);
    raw.#socket = socket;
    socket.on("error", reject);
    socket.on("close", () => {
      reject(new Error(`the server closed the connection to port ${options.port}`));
      options.onClosed?.();
    });
    const lines = [
      `GET ${options.path} HTTP/1.1`,
      `Host: 127.0.0.1:${options.port}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
      "Sec-WebSocket-Version: 13",
      ...(options.subprotocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${options.subprotocol}`]),
    ];
    socket.write(`${lines.join("\r\n")}${END_OF_HEAD}`);
    return promise;
  }

  #pushHead(length: number, port: number, resolve: (socket: RawSocket) => void, reject: (reason: Error) => void): void {
    this.#head += SHARED.toString("latin1", 0, length);
    const end = this.#head.indexOf(END_OF_HEAD);
    if (end < 0) return;
    if (!this.#head.startsWith("HTTP/1.1 101")) {
      reject(new Error(`cannot upgrade on port ${port}: ${this.#head.slice(0, this.#head.indexOf("\r\n"))}`));
      this.#socket?.destroy();
      return;
    }
    this.#isOpen = true;
    const rest = Buffer.from(this.#head.slice(end + END_OF_HEAD.length), "latin1");
    this.#head = "";
    resolve(this);
    // After those who wait for the socket had the chance to listen.
    if (rest.length > 0) queueMicrotask(() => this.stream.push(rest));
  }

  send(text: string): void {
    this.#socket?.write(clientFrame(TEXT, Buffer.from(text)));
  }

  /** Writes between `hold` and `release` leave together. */
  hold(): void {
    this.#socket?.cork();
  }

  release(): void {
    this.#socket?.uncork();
  }

  /** Stops reading until `resume`. */
  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  destroy(): void {
    this.#socket?.destroy();
  }
}

function ignore(): void {}
