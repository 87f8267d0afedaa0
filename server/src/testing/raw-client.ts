// A client made of a bare `ws` socket and JSON: tests that look at the wire itself. Not here: what the SDK adds.

import { WebSocket } from "ws";
import { NAMED_ARRIVAL, SUBPROTOCOL } from "@wscluster/protocol";
import type { ClientFrame, HelloFrame, ServerFrame, ServerFrameType } from "@wscluster/protocol";

type FrameOf<T extends ServerFrameType> = Extract<ServerFrame, { readonly t: T }>;
type Waiter = { readonly test: (frame: ServerFrame) => boolean; readonly resolve: (frame: ServerFrame) => void };

export class RawClientError extends Error {
  readonly code = "raw-client";
}

const WAIT_MS = 5_000;

export class RawClient {
  readonly ws: WebSocket;
  readonly frames: ServerFrame[] = [];
  /** Close code, once closed. */
  readonly closed: Promise<number>;
  readonly #waiters = new Set<Waiter>();

  constructor(ws: WebSocket) {
    this.ws = ws;
    this.closed = new Promise((resolve) => ws.on("close", (code) => resolve(code)));
    ws.on("error", () => {});
    ws.on("message", (data) => {
      const frame = JSON.parse(data.toString()) as ServerFrame;
      if (frame.t === "ping") this.send({ t: "pong" });
      this.frames.push(frame);
      for (const waiter of this.#waiters) {
        if (!waiter.test(frame)) continue;
        this.#waiters.delete(waiter);
        waiter.resolve(frame);
      }
    });
  }

  static async connect(url: string, named?: { readonly pod: string; readonly ticket: string }): Promise<RawClient> {
    const target = new URL(url);
    if (named) {
      target.searchParams.set(NAMED_ARRIVAL.pod, named.pod);
      target.searchParams.set(NAMED_ARRIVAL.ticket, named.ticket);
    }
    const ws = new WebSocket(target, SUBPROTOCOL, { perMessageDeflate: false });
    const client = new RawClient(ws);
    await new Promise<void>((resolve, reject) => {
      ws.once("open", () => resolve());
      ws.once("error", reject);
    });
    return client;
  }

  send(frame: ClientFrame): void {
    if (this.ws.readyState === WebSocket.OPEN) this.ws.send(JSON.stringify(frame));
  }

  hello(more: Partial<HelloFrame> = {}): void {
    this.send({ t: "hello", producer: { id: "p1", gen: 1 }, caps: ["migrate", "resume"], ...more });
  }

  /** The first frame that fits, among those that came already and those to come. */
  async find<T extends ServerFrameType>(t: T, test: (frame: FrameOf<T>) => boolean = () => true): Promise<FrameOf<T>> {
    const fits = (frame: ServerFrame): boolean => frame.t === t && test(frame as FrameOf<T>);
    const known = this.frames.find(fits);
    if (known) return known as FrameOf<T>;
    let waiter: Waiter | undefined;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<FrameOf<T>>((resolve, reject) => {
        waiter = { test: fits, resolve: (frame) => resolve(frame as FrameOf<T>) };
        this.#waiters.add(waiter);
        timer = setTimeout(() => {
          const last = this.frames.slice(-8).map((frame) => JSON.stringify(frame).slice(0, 160));
          reject(new RawClientError(`no frame ${t} that fits came within ${WAIT_MS} ms; last: ${last.join(" ")}`));
        }, WAIT_MS);
      });
    } finally {
      clearTimeout(timer);
      if (waiter) this.#waiters.delete(waiter);
    }
  }

  /** Forgets what came so far. */
  clear(): void {
    this.frames.length = 0;
  }

  /** Publications of a channel that came so far. */
  publications(channel: string): readonly FrameOf<"pub">[] {
    return this.frames.filter((frame): frame is FrameOf<"pub"> => frame.t === "pub" && frame.c === channel);
  }

  close(): void {
    this.ws.close(1_000);
  }
}
