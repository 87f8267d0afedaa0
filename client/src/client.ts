// What the application holds: a thin face over the session. Not here: any decision.

import type { Position, ServerFrame } from "@wscluster/protocol";
import type { ClientEvent, ClientEventType, Counters, EventOf } from "./events.ts";
import type { ConnectionState } from "./machine.ts";
import type { ConnectOptions, SessionIdentity } from "./options.ts";
import { settingsFor } from "./options.ts";
import { watchPlatform } from "./platform-events.ts";
import type { Published } from "./publisher.ts";
import { encodePayload } from "./payload.ts";
import type { Answer, Unnumbered } from "./requests.ts";
import { Session } from "./session.ts";
import type { SubscribeOptions, Subscription } from "./subscription.ts";

/** Raw access to the connection in use, for what is built on top: `history`, `presence`, `remember` and the like. */
export type Wire = {
  readonly taps: Set<(frame: ServerFrame) => void>;
  /** Asks over the connection in use; `undefined` when there is none to take it. Rejects with `timeout` when no answer comes. */
  ask(question: Unnumbered, timeoutMs?: number): Promise<Answer> | undefined;
  /** False when there is no connection to take it. */
  sendEphemeral(text: string): boolean;
  /** A moment before something is asked again. */
  pause(): Promise<void>;
  /** What another page needs to go on with this session; `undefined` before the first connection. */
  readonly identity: SessionIdentity | undefined;
};

/** A client: one session that lives on through breaks, and through moves between pods. */
export interface Client {
  readonly state: ConnectionState;
  /** KEY of the pod that serves the session; `undefined` while there is none. */
  readonly pod: string | undefined;
  /** The user as the server knows it; `undefined` before the first connection. */
  readonly user: string | undefined;
  /** Running totals; a snapshot. */
  readonly counters: Readonly<Counters>;

  readonly wire: Wire;

  /** Resolves when the client is live; rejects with `closed` or `given-up`. */
  ready(): Promise<void>;
  /**
   * Subscribes to a channel. Every message comes once and in order, whatever happens to connections and pods; what cannot be had
   * is told by `onGap` and `onDiverged`. Works in every state; the server is asked as soon as there is a connection.
   * @throws ClientError `already-subscribed`, `closed`, `given-up`.
   */
  subscribe<T = unknown>(channel: string, options?: SubscribeOptions<T>): Subscription<T>;
  /**
   * Publishes, exactly once and in the order of calls per channel. Without a connection it waits in a bounded queue.
   * Rejects with `refused`, `too-large`, `bad-payload`, `queue-full`, `queue-dropped`, `closed`, `given-up`, or the signal's reason
   * (an aborted publish that was sent already may still be stored).
   */
  publish(channel: string, data: unknown, options?: { readonly signal?: AbortSignal }): Promise<Published>;
  /** Sends a message that is not stored and may get lost (typing, cursors). False: it was not even sent. */
  publishEphemeral(channel: string, data: unknown): boolean;
  /** Position of the last message handed over: store it beside what you made of the message and subscribe `from` there. */
  position(channel: string): Position | undefined;
  /** Resolves once every publish so far was answered. */
  flush(): Promise<void>;
  /** Ends the session. What waits is rejected with `closed`. */
  close(): void;
  /** Listens to the diagnostics stream, `"*"` for all of it. Returns the function that stops it. */
  on<E extends ClientEventType>(type: E, listener: (event: EventOf<E>) => void): () => void;
  on(type: "*", listener: (event: ClientEvent) => void): () => void;
}

/**
 * Makes a client and starts to connect. It comes back by itself until it is closed, refused or its give-up policy fires.
 * @throws ClientError `unsupported` where there is no WebSocket.
 */
export function connect(options: ConnectOptions): Client {
  const settings = settingsFor(options);
  const session = new Session(settings);
  const { diagnostics, subscriptions, publisher } = session;
  const unwatch = watchPlatform(settings.platform, { onWake: () => session.wake() });
  const close = (): void => {
    options.signal?.removeEventListener("abort", close);
    unwatch();
    session.close();
  };
  diagnostics.on("given-up", unwatch);
  const client: Client = {
    wire: session,
    get state() {
      return session.state;
    },
    get pod() {
      return session.pod;
    },
    get user() {
      return session.user;
    },
    get counters() {
      return { ...diagnostics.counters };
    },
    ready: () => session.whenLive(),
    subscribe<T>(channel: string, subscribeOptions: SubscribeOptions<T> = {}): Subscription<T> {
      if (session.failure) throw session.failure;
      // The wire carries JSON: that it is a T is the application's word.
      return subscriptions.subscribe(channel, subscribeOptions as SubscribeOptions) as Subscription<T>;
    },
    publish(channel, data, { signal } = {}) {
      const { failure } = session;
      return failure ? Promise.reject(failure) : publisher.publish(channel, data, signal);
    },
    publishEphemeral(channel, data) {
      const json = encodePayload(channel, data, publisher.maxPayloadBytes);
      if (typeof json !== "string") throw json;
      return session.sendEphemeral(`{"t":"pub.ephemeral","c":${JSON.stringify(channel)},"d":${json}}`);
    },
    position: (channel) => subscriptions.position(channel),
    flush: () => publisher.flushed(),
    close,
    on: (type: ClientEventType | "*", listener: (event: never) => void) =>
      diagnostics.on(type, listener as (event: ClientEvent) => void),
  };
  if (options.signal?.aborted) close();
  else {
    options.signal?.addEventListener("abort", close, { once: true });
    session.start();
  }
  return client;
}
