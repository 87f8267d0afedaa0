// One client's socket: joined writes, byte-bounded queue, close. The hot path writes complete frames to the TCP socket itself; that is
// in order with ws, which without compression writes at once too. Not here: frames' meaning (session/), reading the wire (ws).

import type { Socket } from "node:net";
import { WebSocket } from "ws";
import { CLOSE_CODES } from "@wscluster/protocol";
import type { Priority } from "../hub/namespaces.ts";
import type { Subscriber, Subscription } from "../hub/subscription.ts";
import type { OutputTick } from "./tick.ts";

export type QueueMarks = {
  /** Above it numbered frames are not queued: the subscription lags. Bytes. */
  readonly softBytes: number;
  /** Above it the socket is closed with 4101. Bytes. */
  readonly hardBytes: number;
  /** Below it a lagging subscription gets its next page. Bytes. */
  readonly lowBytes: number;
};

export const DEFAULT_MARKS: QueueMarks = { softBytes: 256 * 1024, hardBytes: 1024 * 1024, lowBytes: 64 * 1024 };

export interface SocketOwner {
  onText(text: string): void;
  /** A message that is no text. */
  onBinary(data: Buffer): void;
  onDrained(): void;
  /** Once. `byClient`: the client's close frame came first. */
  onClosed(code: number): void;
}

/** ws's own socket with a back reference, so that handlers are shared and not closures per connection. */
export class Carrier extends WebSocket {
  client: ClientSocket | undefined;
}

export type Arrival = {
  readonly named: boolean;
  /** Without the subprotocol. */
  readonly plain: boolean;
  /** KEY of the edge pod, "" when there was none. */
  readonly edge: string;
  /** Of the client, as far as it is known. */
  readonly address?: string;
  /** That a cookie brought. */
  readonly token?: string;
  /** The operator's synthetic client. */
  readonly probe?: boolean;
};

export class ClientSocket implements Subscriber {
  readonly arrival: Arrival;
  readonly lagging = new Set<Subscription>();
  deliveries = 0;
  takesBlocks = false;
  owner: SocketOwner | undefined;
  onEnd: (() => void) | undefined;
  /** Told of each message's payload bytes. */
  onMessageBytes: ((bytes: number) => void) | undefined;
  /** For the heartbeat: what it saw on its last visit, and visits in a row without a byte from the client. */
  seenBytesRead = 0;
  seenBytesWritten = 0;
  silentVisits = 0;
  stuckVisits = 0;
  readonly #ws: Carrier;
  readonly #tcp: Socket;
  readonly #tick: OutputTick;
  readonly #marks: QueueMarks;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #marked = false;
  #closing = false;
  #ended = false;

  constructor(ws: Carrier, tcp: Socket, tick: OutputTick, marks: QueueMarks, arrival: Arrival) {
    this.#ws = ws;
    this.#tcp = tcp;
    this.#tick = tick;
    this.#marks = marks;
    this.arrival = arrival;
    ws.client = this;
    ws.on("message", onMessage);
    ws.on("close", onClose);
    ws.on("error", onError);
    tcp.on("drain", () => this.owner?.onDrained());
  }

  push(frame: Buffer): void {
    if (this.#closing) return;
    this.#queue.push(frame);
    this.#queuedBytes += frame.length;
    if (this.#queuedBytes + this.#tcp.writableLength > this.#marks.hardBytes) {
      this.close(CLOSE_CODES.slowConsumer.code, CLOSE_CODES.slowConsumer.name);
      return;
    }
    if (this.#marked) return;
    this.#marked = true;
    this.#tick.markSocket(this);
  }

  flush(): void {
    this.#marked = false;
    const queue = this.#queue;
    if (queue.length === 0 || this.#ended) return;
    const bytes = this.#queuedBytes;
    this.#queue = [];
    this.#queuedBytes = 0;
    const whole = queue.length === 1 ? queue[0] : this.#tick.join(queue, bytes);
    if (whole) {
      this.#tcp.write(whole);
      return;
    }
    this.#tcp.cork();
    for (const frame of queue) this.#tcp.write(frame);
    this.#tcp.uncork();
  }

  isCongested(priority: Priority = "normal"): boolean {
    const { softBytes, lowBytes, hardBytes } = this.#marks;
    const mark = priority === "normal" ? softBytes : priority === "low" ? lowBytes : (softBytes + hardBytes) / 2;
    return this.#tcp.writableLength + this.#queuedBytes > mark;
  }

  isDrained(): boolean {
    return !this.#closing && this.#tcp.writableLength + this.#queuedBytes < this.#marks.lowBytes;
  }

  get waitingBytes(): number {
    return this.#tcp.writableLength + this.#queuedBytes;
  }

  get bytesRead(): number {
    return this.#tcp.bytesRead;
  }

  /** Bytes that left for the kernel. */
  get bytesSent(): number {
    return this.#tcp.bytesWritten - this.#tcp.writableLength;
  }

  get isOpen(): boolean {
    return !this.#closing && !this.#ended;
  }

  /** Sends what is queued, then the close frame; ws ends the TCP connection when the client does not answer in time. */
  close(code: number, reason: string): void {
    if (this.#closing || this.#ended) return;
    const isDeaf = code === CLOSE_CODES.slowConsumer.code || code === CLOSE_CODES.noPong.code;
    if (!isDeaf) this.flush();
    this.#closing = true;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#ws.close(code, reason);
    // The client's close frame has to be read, also where reading was paused.
    this.#ws.resume();
    // A client that does not read will not read the close frame either.
    if (isDeaf) setTimeout(() => this.terminate(), DEAF_CLOSE_MS).unref();
  }

  terminate(): void {
    this.#closing = true;
    this.#ws.terminate();
  }

  pause(): void {
    this.#ws.pause();
  }

  resume(): void {
    this.#ws.resume();
  }

  ended(code: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#closing = true;
    this.#queue = [];
    this.#queuedBytes = 0;
    const { owner } = this;
    this.owner = undefined;
    this.onEnd?.();
    owner?.onClosed(code);
  }
}

const DEAF_CLOSE_MS = 1_000;

function onMessage(this: WebSocket, data: WebSocket.RawData, isBinary: boolean): void {
  if (!(this instanceof Carrier)) return;
  const owner = this.client?.owner;
  if (!owner) return;
  if (!Buffer.isBuffer(data)) return;
  if (isBinary) owner.onBinary(data);
  else {
    this.client?.onMessageBytes?.(data.length);
    owner.onText(data.toString());
  }
}

function onClose(this: WebSocket, code: number): void {
  if (this instanceof Carrier) this.client?.ended(code);
}

// ws closes the connection itself, with 1009 for a message that is too big and 1002 or 1007 for a broken one.
function onError(this: WebSocket): void {}
