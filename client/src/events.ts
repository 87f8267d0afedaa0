// The diagnostics stream: what happened to the connection, with monotonic stamps, and running counters. Not here: messages.

import type { GapReason, Position } from "@wscluster/protocol";
import type { ConnectionState } from "./machine.ts";

export type ClientEventMap = {
  state: { readonly from: ConnectionState; readonly to: ConnectionState };
  /** A socket is being opened. The URL has no ticket in it. */
  connecting: { readonly url: string; readonly attempt: number; readonly purpose: "new" | "resume" | "move" };
  welcome: {
    readonly pod: string;
    readonly session: string;
    readonly generation: number;
    readonly resumed: boolean;
    readonly prepared: boolean;
  };
  /** Everything missed has been delivered. */
  ready: { readonly pod: string };
  /** Back after a break on the same session; `darkMs` = from the loss until publishes could go out again. */
  resumed: { readonly pod: string; readonly darkMs: number };
  /** The application's connection broke: nothing was open for a while. */
  disconnect: { readonly code: number; readonly reason: string };
  /** Any socket of the SDK ended, those of moves too. */
  "socket-closed": {
    /** `undefined`: it was not welcomed yet. */
    readonly pod: string | undefined;
    readonly code: number;
    readonly reason: string;
    readonly byClient: boolean;
    readonly role: "primary" | "leaving" | "candidate";
  };
  /** A socket never opened; told once until one does. `httpWorks`: the edge answers over HTTP, so WebSockets may be blocked here. */
  "connect-failed": { readonly httpWorks: boolean };
  waiting: { readonly delayMs: number; readonly attempt: number; readonly windowed: boolean };
  pace: { readonly minMs: number; readonly maxMs: number; readonly forMs: number };
  "migrate-start": {
    readonly id: string;
    readonly from: string;
    readonly to: string;
    readonly reason: string;
    readonly deadlineMs: number;
  };
  /** The new pod knows the session and is read along with the old one. */
  prepared: { readonly id: string; readonly pod: string };
  /** The session lives on the new pod; `heldMs` = how long writes were queued for the commit. */
  committed: { readonly id: string; readonly pod: string; readonly generation: number; readonly heldMs: number };
  /** The old socket was closed by the SDK: the move is over. */
  moved: { readonly id: string; readonly from: string; readonly to: string; readonly tookMs: number };
  "migrate-failed": { readonly id: string; readonly why: string };
  gap: {
    readonly channel: string;
    readonly epoch: string;
    readonly from: number;
    readonly to: number;
    readonly why: GapReason;
  };
  diverged: { readonly channel: string; readonly position: Position; readonly previous: Position };
  /** A hole on one socket, about to be filled from history. Not an error by itself. */
  hole: { readonly channel: string; readonly after: number; readonly seen: number };
  /** An acknowledged message that the store lost was published again. */
  republished: { readonly channel: string; readonly position: Position };
  /** The server forgot this publisher: sequence numbers begin again under this generation. */
  "producer-generation": { readonly generation: number };
  /** A handler of the application threw. Without a listener it goes to `console.error`. */
  "handler-error": { readonly error: unknown };
  "given-up": { readonly why: string; readonly code?: number };
};

export type ClientEventType = keyof ClientEventMap;
export type ClientEvent = {
  [T in ClientEventType]: {
    readonly type: T;
    /** Monotonic milliseconds of the client's clock. */ readonly atMs: number;
  } & ClientEventMap[T];
}[ClientEventType];
export type EventOf<T extends ClientEventType> = Extract<ClientEvent, { readonly type: T }>;

/** Running totals since the client was made. Milliseconds where the name says so. */
export type Counters = {
  /** Sockets opened for the application's connection, moves apart. */
  attempts: number;
  /** Breaks that the application could notice. */
  disconnects: number;
  /** Connections that worked again after a break, by resume or as a new session. */
  reconnects: number;
  resumes: number;
  /** Sessions that had to be made anew after a break. */
  newSessions: number;
  moves: number;
  movesFailed: number;
  gaps: number;
  diverged: number;
  received: number;
  /** Dropped because the application had them already (two sockets, replay). */
  duplicatesDropped: number;
  holes: number;
  published: number;
  republished: number;
  handlerErrors: number;
  /** Longest time without a byte on the connection in use. */
  longestSilenceMs: number;
  /** Longest time without a socket that takes writes: breaks and commits of moves. */
  longestDarkMs: number;
  totalDarkMs: number;
};

const ZERO: Counters = {
  attempts: 0,
  disconnects: 0,
  reconnects: 0,
  resumes: 0,
  newSessions: 0,
  moves: 0,
  movesFailed: 0,
  gaps: 0,
  diverged: 0,
  received: 0,
  duplicatesDropped: 0,
  holes: 0,
  published: 0,
  republished: 0,
  handlerErrors: 0,
  longestSilenceMs: 0,
  longestDarkMs: 0,
  totalDarkMs: 0,
};

type Listener = (event: ClientEvent) => void;

/** Emits events, keeps the counters, and runs handlers of the application so that one that throws harms nobody else. */
export class Diagnostics {
  readonly counters: Counters = { ...ZERO };
  readonly #now: () => number;
  readonly #listeners = new Map<ClientEventType | "*", Set<Listener>>();

  constructor(now: () => number) {
    this.#now = now;
  }

  on(type: ClientEventType | "*", listener: Listener): () => void {
    const known = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, known.add(listener));
    return () => void known.delete(listener);
  }

  emit<T extends ClientEventType>(type: T, detail: ClientEventMap[T]): void {
    const event = { type, atMs: this.#now(), ...detail } as unknown as ClientEvent;
    for (const key of [type, "*"] as const) {
      for (const listener of [...(this.#listeners.get(key) ?? [])]) {
        // A listener of errors that throws itself has nobody left to tell.
        this.run(() => listener(event), type === "handler-error" ? printError : undefined);
      }
    }
  }

  /** Runs a handler of the application. Its errors are reported, never thrown into the SDK. */
  run(handler: () => unknown, report = (error: unknown): void => this.#report(error)): void {
    try {
      const result = handler();
      if (result instanceof Promise) result.catch(report);
    } catch (error) {
      report(error);
    }
  }

  dark(ms: number): void {
    this.counters.totalDarkMs += ms;
    this.counters.longestDarkMs = Math.max(this.counters.longestDarkMs, ms);
  }

  #report(error: unknown): void {
    this.counters.handlerErrors += 1;
    if (this.#listeners.get("handler-error")?.size) this.emit("handler-error", { error });
    else printError(error);
  }
}

function printError(error: unknown): void {
  console.error("wscluster: a handler of the application threw", error);
}
