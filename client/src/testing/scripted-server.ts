// Sockets without a network: the test plays the server, frame by frame. Not exported by the package.

import type { ClientFrame, ClientFrameType, ServerFrame, WelcomeFrame } from "@wscluster/protocol";
import type { Client } from "../client.ts";
import { connect } from "../client.ts";
import type { ClientEvent } from "../events.ts";
import type { WebSocketLike } from "../link.ts";
import type { ConnectOptions } from "../options.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** One socket as the server sees it. */
export class ScriptedSocket implements WebSocketLike {
  onopen: WebSocketLike["onopen"] = null;
  onmessage: WebSocketLike["onmessage"] = null;
  onclose: WebSocketLike["onclose"] = null;
  onerror: WebSocketLike["onerror"] = null;
  readonly url: URL;
  readonly protocol: string;
  /** Every frame that the client sent, oldest first. */
  readonly sent: ClientFrame[] = [];
  /** Code of the close made by the client. */
  closedByClient: number | undefined;

  constructor(url: string, protocol: string) {
    this.url = new URL(url);
    this.protocol = protocol;
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as ClientFrame);
  }

  close(code = 1000): void {
    this.closedByClient ??= code;
  }

  open(): this {
    this.onopen?.({});
    return this;
  }

  say(...frames: ServerFrame[]): this {
    for (const frame of frames) this.onmessage?.({ data: JSON.stringify(frame) });
    return this;
  }

  end(code: number, reason = ""): void {
    this.onclose?.({ code, reason });
  }

  all<T extends ClientFrameType>(type: T): Extract<ClientFrame, { t: T }>[] {
    return this.sent.filter((frame): frame is Extract<ClientFrame, { t: T }> => frame.t === type);
  }

  /** The newest frame of a type; fails when there is none. */
  last<T extends ClientFrameType>(type: T): Extract<ClientFrame, { t: T }> {
    const frame = this.all(type).at(-1);
    if (!frame) throw new Error(`no ${type} was sent, but ${JSON.stringify(this.sent)}`);
    return frame;
  }
}

export type Scene = {
  readonly clock: VirtualClock;
  readonly sockets: ScriptedSocket[];
  readonly client: Client;
  readonly events: ClientEvent[];
  /** The newest socket. */
  socket(): ScriptedSocket;
  eventsOf<T extends ClientEvent["type"]>(type: T): Extract<ClientEvent, { type: T }>[];
};

/** A client whose sockets the test holds the other end of. Random is always a half. */
export function stage(options: Partial<ConnectOptions> = {}): Scene {
  const clock = new VirtualClock();
  const sockets: ScriptedSocket[] = [];
  const client = connect({
    url: "ws://cluster.test/ws",
    clock,
    random: () => 0.5,
    producer: { id: "p1", generation: 1 },
    platform: {},
    webSocket: (url, protocol) => {
      const socket = new ScriptedSocket(url, protocol);
      sockets.push(socket);
      return socket;
    },
    ...options,
  });
  const events: ClientEvent[] = [];
  client.on("*", (event) => void events.push(event));
  return {
    clock,
    sockets,
    client,
    events,
    socket() {
      const socket = sockets.at(-1);
      if (!socket) throw new Error("no socket was opened");
      return socket;
    },
    eventsOf: (type) =>
      events.filter((event): event is Extract<ClientEvent, { type: typeof type }> => event.type === type),
  };
}

export const POD = { blue: "aaaaaaaaaaaaaaaa", green: "bbbbbbbbbbbbbbbb" } as const;

export function welcome(overrides: Partial<WelcomeFrame> = {}): WelcomeFrame {
  return {
    t: "welcome",
    session: "s1",
    ...(overrides.resumed || overrides.prepared ? {} : { secret: "secret" }),
    g: 1,
    user: "ann",
    tenant: "",
    pod: POD.blue,
    resumed: false,
    prepared: false,
    ttlMs: 120_000,
    heartbeatMs: 20_000,
    maxPayloadBytes: 65_536,
    ...overrides,
  };
}

export const ready = { t: "ready" } as const;

export function subOk(c: string, o: number, more: Partial<Extract<ServerFrame, { t: "sub.ok" }>> = {}): ServerFrame {
  return { t: "sub.ok", i: 0, c, e: "e1", o, recovered: true, ...more };
}

export function pub(c: string, o: number, e?: string): ServerFrame {
  return { t: "pub", c, o, p: "bob", ts: o * 1_000, d: `m${o}`, ...(e === undefined ? {} : { e }) };
}

export function migrate(more: Partial<Extract<ServerFrame, { t: "migrate" }>> = {}): ServerFrame {
  return { t: "migrate", id: "m1", pod: POD.green, ticket: "T", deadlineMs: 10_000, reason: "rollout", ...more };
}
