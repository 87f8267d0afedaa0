// One WebSocket: opening with a deadline, frames in and out, signs of life, and an end that is told once. Not here: what frames mean.

import type { Capability, ClientFrame, Position, ServerFrame, WelcomeFrame } from "@wscluster/protocol";
import { CLOSE, SUBPROTOCOL, CLIENT_DEFAULTS } from "@wscluster/protocol";
import type { Clock, TimerHandle } from "./clock.ts";
import type { Feeds } from "./subscriptions.ts";
import { Watchdog } from "./watchdog.ts";

// Methods in this shape are compared loosely, so that the DOM's, Node's and `ws`'s event types all fit.
type Handler<E> = { handle(event: E): void }["handle"] | null;

/** What the SDK needs of a WebSocket. The browser's, Node's and the one of `ws` fit. */
export interface WebSocketLike {
  onopen: Handler<unknown>;
  onmessage: Handler<{ readonly data: unknown }>;
  onclose: Handler<{ readonly code: number; readonly reason: string }>;
  onerror: Handler<unknown>;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  /** How it gives binary messages. */
  binaryType?: string;
  /** What it can read beyond text frames; see `readingBlocks`. */
  readonly caps?: readonly Capability[];
}

export type WebSocketFactory = (url: string, subprotocol: string) => WebSocketLike;

export interface LinkHost {
  onOpen(link: Link): void;
  onFrame(link: Link, frame: ServerFrame): void;
  /** The socket ended without our doing; told at most once, and never after `close`. */
  onDown(link: Link, code: number, reason: string): void;
  onSilence(silentMs: number): void;
  nextRequestId(): number;
}

export type LinkOptions = {
  readonly id: number;
  readonly url: string;
  readonly clock: Clock;
  readonly webSocket: WebSocketFactory;
  /** Until `welcome`. */
  readonly deadlineMs: number;
};

/** Code for "the connection broke", as browsers give it. */
const BROKEN = 1006;

export class Link {
  readonly id: number;
  /** What this socket said about each channel. */
  readonly feeds: Feeds = new Map();
  /** Positions that this socket was asked to continue from. */
  readonly asked = new Map<string, Position>();
  /** `ready` arrived. */
  isReady = false;
  welcome: WelcomeFrame | undefined;
  readonly #host: LinkHost;
  readonly #clock: Clock;
  #socket: WebSocketLike | undefined;
  #ended = false;
  #watchdog: Watchdog | undefined;
  #deadline: TimerHandle | undefined;

  constructor(host: LinkHost, options: LinkOptions) {
    this.id = options.id;
    this.#host = host;
    this.#clock = options.clock;
    this.#deadline = options.clock.setTimer(() => this.#down(BROKEN, "no welcome"), options.deadlineMs);
    try {
      const socket = options.webSocket(options.url, SUBPROTOCOL);
      this.#socket = socket;
      socket.onopen = () => host.onOpen(this);
      socket.onmessage = (event) => this.#receive(event.data);
      socket.onclose = (event) => this.#down(event.code, event.reason);
      socket.onerror = () => {};
    } catch (error) {
      // A refused URL or port throws in browsers. Told later, as every other failure is.
      this.#later(() => this.#down(BROKEN, String(error)));
    }
  }

  get pod(): string | undefined {
    return this.welcome?.pod;
  }

  get caps(): readonly Capability[] | undefined {
    return this.#socket?.caps;
  }

  get isDown(): boolean {
    return this.#ended;
  }

  send(frame: ClientFrame): void {
    this.sendText(JSON.stringify(frame));
  }

  sendText(text: string): void {
    try {
      this.#socket?.send(text);
    } catch (error) {
      this.#later(() => this.#down(BROKEN, String(error)));
    }
  }

  /** Asks for a sign of life soon. */
  probe(): void {
    this.#watchdog?.probe();
  }

  /** Ends the socket on our side; nothing of it is heard any more. */
  close(code: number = CLOSE.normal, reason = ""): void {
    const socket = this.#detach();
    try {
      socket?.close(code, reason);
    } catch {
      // Some implementations throw while connecting; the socket is detached, so nothing can come of it.
    }
  }

  #receive(data: unknown): void {
    const silentMs = this.#watchdog?.onInbound();
    if (silentMs !== undefined) this.#host.onSilence(silentMs);
    const frame = parseFrame(data);
    if (!frame || this.#ended) return;
    if (frame.t === "ping") return this.send({ t: "pong" });
    if (frame.t === "welcome") this.#onWelcome(frame);
    this.#host.onFrame(this, frame);
  }

  #onWelcome(frame: WelcomeFrame): void {
    this.welcome = frame;
    this.#clock.clearTimer(this.#deadline);
    const host = {
      sendPing: () => this.send({ t: "ping", i: this.#host.nextRequestId() }),
      onSilence: (silentMs: number) => {
        this.#host.onSilence(silentMs);
        this.#down(BROKEN, `silent for ${Math.round(silentMs)} ms`);
      },
    };
    this.#watchdog?.stop();
    this.#watchdog = new Watchdog(host, this.#clock, frame.heartbeatMs || CLIENT_DEFAULTS.heartbeatMs);
  }

  #down(code: number, reason: string): void {
    if (this.#ended) return;
    // Detached before it is closed: on a dead path `onclose` comes minutes later, or never.
    this.close(CLOSE.backoff);
    this.#host.onDown(this, code, reason);
  }

  #detach(): WebSocketLike | undefined {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#ended = true;
    this.#clock.clearTimer(this.#deadline);
    this.#watchdog?.stop();
    if (socket) {
      socket.onopen = null;
      socket.onmessage = null;
      socket.onclose = null;
      // `ws` emits `error` when a connecting socket is closed, and an unheard `error` ends a Node process.
      socket.onerror = () => {};
    }
    return socket;
  }

  #later(run: () => void): void {
    this.#clock.setTimer(run, 0);
  }
}

function parseFrame(data: unknown): ServerFrame | undefined {
  if (typeof data !== "string") return undefined;
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === "object" && value !== null && "t" in value ? (value as ServerFrame) : undefined;
  } catch {
    return undefined;
  }
}
