// For tests: a WebSocket client made of bytes, which can send what no library would. Not here: what is legal.

import { connect } from "node:net";
import type { Socket } from "node:net";
import { SUBPROTOCOL } from "@wscluster/protocol";

const MASK = Buffer.from([1, 2, 3, 4]);
const CLOSE = 8;

/** A masked client frame. @param first the first byte: FIN, reserved bits, opcode. */
export function clientFrame(first: number, payload: string | Buffer, more: { readonly masked?: boolean } = {}): Buffer {
  const data = Buffer.from(payload);
  const masked = more.masked ?? true;
  const flag = masked ? 0x80 : 0;
  const head =
    data.length < 126
      ? Buffer.from([first, flag | data.length])
      : data.length < 65_536
        ? Buffer.from([first, flag | 126, data.length >> 8, data.length & 255])
        : Buffer.from([first, flag | 127, 0, 0, 0, 0, ...uint32(data.length)]);
  if (!masked) return Buffer.concat([head, data]);
  for (let index = 0; index < data.length; index += 1) data[index] = (data[index] ?? 0) ^ (MASK[index % 4] ?? 0);
  return Buffer.concat([head, MASK, data]);
}

function uint32(value: number): readonly number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

export const textOf = (frame: object): Buffer => clientFrame(0x81, JSON.stringify(frame));

export class RawPeer {
  readonly tcp: Socket;
  readonly texts: string[] = [];
  /** The server's close code; 1006 when the connection ended without one. */
  readonly closed: Promise<number>;
  #code = 1006;
  #rest = Buffer.alloc(0);

  private constructor(tcp: Socket) {
    this.tcp = tcp;
    tcp.on("error", () => {});
    this.closed = new Promise((resolve) => tcp.once("close", () => resolve(this.#code)));
  }

  /** Connected and upgraded. */
  static async open(port: number, path = "/ws"): Promise<RawPeer> {
    const tcp = connect({ port, host: "127.0.0.1", noDelay: true });
    const peer = new RawPeer(tcp);
    tcp.write(
      `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
        `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: ${SUBPROTOCOL}\r\n\r\n`,
    );
    await new Promise<void>((resolve, reject) => {
      let head = "";
      const onData = (bytes: Buffer) => {
        head += bytes.toString("latin1");
        const end = head.indexOf("\r\n\r\n");
        if (end === -1) return;
        tcp.off("data", onData);
        if (!head.startsWith("HTTP/1.1 101 ")) reject(new Error(`cannot upgrade: ${head.slice(0, 100)}`));
        tcp.on("data", (more: Buffer) => peer.#read(more));
        peer.#read(Buffer.from(head.slice(end + 4), "latin1"));
        resolve();
      };
      tcp.on("data", onData);
      tcp.once("close", () => reject(new Error("cannot upgrade: the connection ended")));
    });
    return peer;
  }

  send(...frames: readonly Buffer[]): void {
    this.tcp.write(Buffer.concat(frames));
  }

  #read(bytes: Buffer): void {
    let rest = Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const short = (rest[1] ?? 0) & 127;
      const headLength = short === 126 ? 4 : 2;
      if (rest.length < headLength) break;
      const length = short === 126 ? rest.readUInt16BE(2) : short;
      if (rest.length < headLength + length) break;
      const payload = rest.subarray(headLength, headLength + length);
      if (((rest[0] ?? 0) & 15) === CLOSE) {
        this.#code = length >= 2 ? payload.readUInt16BE(0) : 1005;
        this.tcp.end(clientFrame(0x88, payload));
      } else this.texts.push(payload.toString());
      rest = rest.subarray(headLength + length);
    }
    this.#rest = rest;
  }
}
