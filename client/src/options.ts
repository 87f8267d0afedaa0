// What `connect` takes, and the defaults. Not here: subscribe and publish options.

import type { Producer } from "@wscluster/protocol";
import { CLIENT_DEFAULTS } from "@wscluster/protocol";
import type { Clock } from "./clock.ts";
import { systemClock } from "./clock.ts";
import { ClientError } from "./errors.ts";
import type { WebSocketFactory, WebSocketLike } from "./link.ts";
import type { PlatformLike } from "./platform-events.ts";
import type { QueueOptions } from "./publisher.ts";

/** When to stop coming back. Both absent: never. */
export type GiveUpPolicy = {
  /** Failed attempts in a row. */
  readonly afterAttempts?: number;
  /** Milliseconds without a connection. */
  readonly afterMs?: number;
};

/** What the server knows a session by. The secret opens it: keep it where only this page's origin reads. */
export type SessionIdentity = { readonly session: string; readonly secret: string };

export type ConnectOptions = {
  /** `wss://host/ws`; `ws://` for trials. */
  readonly url: string;
  /** Signed token, or a function that gets a fresh one for each new connection. */
  readonly token?: string | (() => string | Promise<string>);
  /** Name asked for by an anonymous user. */
  readonly user?: string;
  /** Names the device among the user's. */
  readonly device?: string;
  /**
   * Who publishes, for exactly-once across restarts of the application: the id stays, the generation must rise with each start.
   * Default: a random id.
   */
  readonly producer?: { readonly id: string; readonly generation: number };
  /** Goes on with the session of an earlier page, if it can still be had; see `remember`. */
  readonly resume?: SessionIdentity;
  /**
   * Names the page: a session that is in use elsewhere is only given to the same instance, everybody else gets a new one. Default:
   * a random name.
   */
  readonly instance?: string;
  readonly queue?: Partial<QueueOptions>;
  readonly giveUp?: GiveUpPolicy;
  /** From opening a socket until the server's `welcome`. Default 10 s. */
  readonly connectTimeoutMs?: number;
  /** Closes the client. */
  readonly signal?: AbortSignal;
  /** Default: the platform's WebSocket. For `ws`: `(url, protocol) => new WebSocket(url, protocol)`. */
  readonly webSocket?: WebSocketFactory;
  readonly clock?: Clock;
  /** In [0, 1). */
  readonly random?: () => number;
  /** Where `online`, `visibilitychange` and the like come from. Default: `globalThis`. */
  readonly platform?: PlatformLike;
};

export type Settings = {
  readonly url: string;
  readonly token: ConnectOptions["token"];
  readonly user: string | undefined;
  readonly device: string | undefined;
  /** This run of the client. */
  readonly instance: string;
  readonly identity: SessionIdentity | undefined;
  readonly producer: Producer;
  readonly queue: QueueOptions;
  readonly giveUp: GiveUpPolicy;
  readonly connectTimeoutMs: number;
  readonly webSocket: WebSocketFactory;
  readonly clock: Clock;
  readonly random: () => number;
  readonly platform: PlatformLike;
};

export function settingsFor(options: ConnectOptions): Settings {
  const random = options.random ?? Math.random;
  const instance = options.instance ?? randomId(random);
  return {
    url: options.url,
    token: options.token,
    user: options.user,
    device: options.device,
    instance,
    identity: options.resume,
    producer: options.producer
      ? { id: options.producer.id, gen: options.producer.generation }
      : { id: randomId(random), gen: 1 },
    queue: { maxMessages: 1_000, policy: "reject", ...options.queue },
    giveUp: options.giveUp ?? {},
    connectTimeoutMs: options.connectTimeoutMs ?? CLIENT_DEFAULTS.requestTimeoutMs,
    webSocket: options.webSocket ?? platformWebSocket(options.url),
    clock: options.clock ?? systemClock,
    random,
    platform: options.platform ?? (globalThis as PlatformLike),
  };
}

/** @throws ClientError `unsupported` where the platform has none. */
export function platformWebSocket(url: string): WebSocketFactory {
  const { WebSocket } = globalThis as { WebSocket?: new (url: string, protocol: string) => WebSocketLike };
  if (!WebSocket) {
    throw new ClientError("unsupported", `cannot connect to ${url}: no WebSocket here; pass the option "webSocket"`);
  }
  return (target, subprotocol) => new WebSocket(target, subprotocol);
}

// 80 bits: two clients of one user must not share a producer id.
function randomId(random: () => number): string {
  let id = "";
  for (let i = 0; i < 16; i += 1) id += Math.floor(random() * 32).toString(32);
  return id;
}
