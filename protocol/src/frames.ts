// Every frame of `wscluster.v1.json`, by direction. Not here: parsing (decode.ts), numbers (limits.ts), codes (close-codes.ts).
//
// A durable thing is a stream (name, epoch, offset): epoch = one life of a stream, offsets start at 1 and go on across lives.
// Nothing is numbered per connection, so a `pub` frame is the same bytes for every subscriber of a pod.

import type { WireErrorName } from "./error-codes.ts";

/** Where a subscriber stands in one stream: everything up to and including `offset` was given to the application. */
export type Position = { readonly epoch: string; readonly offset: number };

/** What the client can do; unknown names are ignored. */
export type Capability = "migrate" | "resume" | "batch";

/** A publisher's identity: sequence numbers count per (stream, producer, generation) from 1 without gaps. */
export type Producer = { readonly id: string; readonly gen: number };

export type SubscribeRequest = {
  readonly c: string;
  /** Continue after this position; without it the subscription starts at the top. */
  readonly from?: Position;
};

// ---- client to server -------------------------------------------------------------------------------------------------

export type HelloFrame = {
  readonly t: "hello";
  /** Signed token; absent for anonymous users. */
  readonly token?: string;
  /** Name asked for by an anonymous user. */
  readonly user?: string;
  readonly device?: string;
  /**
   * This run of the client: a reload or a copy of the page is another one. A session that is in use elsewhere is handed over at once to
   * the same instance only; another one gets a session of its own.
   */
  readonly instance?: string;
  readonly producer: Producer;
  readonly caps: readonly Capability[];
  readonly resume?: {
    readonly session: string;
    readonly secret: string;
    /** Position of each subscription, [channel, epoch, offset]. A channel of the session that is missing here starts at the top. */
    readonly pos: readonly (readonly [string, string, number])[];
  };
  /** With `resume`: this socket is the second one of a move; prepare only, `commit` follows. Also sent on a plain resume after a failed move, so that it is counted. */
  readonly ticket?: string;
  /** True: two-phase move. False or absent: take the session over at once. */
  readonly prepare?: boolean;
  /** Subscriptions in the same flight. */
  readonly sub?: readonly SubscribeRequest[];
};

export type ClientFrame =
  | HelloFrame
  | ({ readonly t: "sub"; readonly i: number } & SubscribeRequest)
  | { readonly t: "unsub"; readonly i: number; readonly c: string }
  /** `s` = the producer's sequence number in this stream. */
  | { readonly t: "pub"; readonly i: number; readonly c: string; readonly s: number; readonly d: unknown }
  | { readonly t: "pub.ephemeral"; readonly c: string; readonly d: unknown }
  /** Page of history after `from` (exclusive), at most `n`. */
  | { readonly t: "fetch"; readonly i: number; readonly c: string; readonly from: Position; readonly n: number }
  /** Ends the preparation on the new socket: from here on the session lives there. */
  | { readonly t: "commit"; readonly i: number }
  /** On the old socket: the move could not be made; the client stays. */
  | { readonly t: "migrate.fail"; readonly id: string; readonly why: string }
  | { readonly t: "ping"; readonly i: number }
  | { readonly t: "pong" }
  /** Be present in the channel, with data that others see (at most 1 KiB), until `presence.leave` or the end of the session. */
  | { readonly t: "presence.enter"; readonly i: number; readonly c: string; readonly d: unknown }
  | { readonly t: "presence.leave"; readonly i: number; readonly c: string }
  /** Hear who is present: a `pres` with all of them, then one per change. Ends with the socket. */
  | { readonly t: "presence.watch"; readonly i: number; readonly c: string }
  | { readonly t: "presence.unwatch"; readonly i: number; readonly c: string }
  /** A page of those present, of about `n`; `after` = `next` of the page before. */
  | {
      readonly t: "presence.get";
      readonly i: number;
      readonly c: string;
      readonly after?: string;
      readonly n: number;
    }
  /**
   * Call the route `m`. `k` names this call: the same in each try. `again`: an earlier try may have been heard; a route that is not idempotent
   * is not called a second time. Answer: `rpc.ok`.
   */
  | {
      readonly t: "rpc";
      readonly i: number;
      readonly m: string;
      readonly k: string;
      readonly d: unknown;
      readonly again?: boolean;
      readonly timeoutMs?: number;
    }
  /** A new token in the place of the one that the session began with, of the same user and tenant. Answer: `refresh.ok`. */
  | { readonly t: "refresh"; readonly i: number; readonly token: string }
  /** Small things of the application that live as long as the session and travel with it (at most 4 KiB); `null` removes them. Answer: `state.ok`. */
  | { readonly t: "state.set"; readonly i: number; readonly d: unknown }
  | { readonly t: "state.get"; readonly i: number }
  /** Where does this device stand in the user's inbox? Subscribe to `~inbox` from there. */
  | { readonly t: "inbox.open"; readonly i: number }
  /** The device keeps everything up to `o`; `read`: the user has seen it. The senders are told. */
  | { readonly t: "inbox.ack"; readonly i: number; readonly e: string; readonly o: number; readonly read?: boolean };

export type ClientFrameType = ClientFrame["t"];

// ---- server to client -------------------------------------------------------------------------------------------------

export type GapReason = "history-expired" | "stream-lost" | "conflated";

export type SubscribedFrame = {
  readonly t: "sub.ok";
  /** Request id; 0 when the server restored it. */
  readonly i: number;
  readonly c: string;
  readonly e: string;
  /** The stream's top when the subscription began: frames up to it are replayed when `from` was given. */
  readonly o: number;
  /**
   * The asked-for position could be continued without a hole. False: before any other frame of the channel a `gap` or a `diverged`
   * tells from where it goes on. True without `from`.
   */
  readonly recovered: boolean;
};

export type WelcomeFrame = {
  readonly t: "welcome";
  readonly session: string;
  /** Only for a new session. */
  readonly secret?: string;
  /** Session generation: rises by one on each resume and each committed move. */
  readonly g: number;
  readonly user: string;
  readonly tenant: string;
  /** KEY of the pod that answers. */
  readonly pod: string;
  readonly resumed: boolean;
  /** True in the first phase of a move: read-only until `commit.ok`. */
  readonly prepared: boolean;
  readonly ttlMs: number;
  readonly heartbeatMs: number;
  readonly maxPayloadBytes: number;
};

export type PublicationFrame = {
  readonly t: "pub";
  readonly c: string;
  readonly o: number;
  /** Present on the first message of a life, live, replayed and in pages alike, so that the bytes are the same for everybody. */
  readonly e?: string;
  /** W3C `traceparent` of a message that is traced. */
  readonly x?: string;
  /** User that published. */
  readonly p: string;
  /** Microseconds since 1970 by the store's clock, never falling within a stream. */
  readonly ts: number;
  readonly d: unknown;
};

export type MigrateFrame = {
  readonly t: "migrate";
  readonly id: string;
  /** KEY of the target pod: connect to the same URL with `?pod=KEY&ticket=TICKET`. */
  readonly pod: string;
  /** Another URL as the target; absent = same URL. */
  readonly url?: string;
  readonly ticket: string;
  /** From receipt: later than this the source closes with 4201. */
  readonly deadlineMs: number;
  readonly reason: string;
};

/** One session that is present: `m` names it, `u` is its user, `d` what it says about itself. */
export type PresentMember = { readonly m: string; readonly u: string; readonly d: unknown };

/**
 * Who is present, or what changed since the last one. Moves and resumes are no changes.
 * `reset`: `join` is everybody. `many`: too many to list, only the number is told until a frame with `reset`.
 */
export type PresenceChangeFrame = {
  readonly t: "pres";
  readonly c: string;
  readonly n: number;
  readonly reset?: boolean;
  readonly many?: boolean;
  /** New ones, and those whose data changed. */
  readonly join?: readonly PresentMember[];
  readonly leave?: readonly string[];
};

/** Payload of a publication of `~receipt/USER` in the inbox of a sender: all messages to `to` up to `o` have come that far. */
export type DirectReceipt = {
  readonly kind: "delivered" | "read";
  readonly to: string;
  readonly e: string;
  readonly o: number;
};

export type ServerFrame =
  | WelcomeFrame
  | PresenceChangeFrame
  | { readonly t: "rpc.ok"; readonly i: number; readonly d: unknown }
  /** The token ends in `inMs`; without a `refresh` by then the connection is closed with 4001. */
  | { readonly t: "refresh.needed"; readonly inMs: number }
  | { readonly t: "refresh.ok"; readonly i: number; readonly inMs?: number }
  /** The server ended a subscription. */
  | { readonly t: "unsubscribed"; readonly c: string; readonly why: string }
  /** `d` only as the answer to `state.get`; absent = there is none. */
  | { readonly t: "state.ok"; readonly i: number; readonly d?: unknown }
  | { readonly t: "inbox.ok"; readonly i: number; readonly e: string; readonly o: number }
  | { readonly t: "presence.ok"; readonly i: number; readonly c: string }
  | {
      readonly t: "presence.page";
      readonly i: number;
      readonly c: string;
      /** All that are present. */
      readonly n: number;
      readonly items: readonly PresentMember[];
      readonly next?: string;
    }
  | SubscribedFrame
  | PublicationFrame
  | { readonly t: "pub.ephemeral"; readonly c: string; readonly p: string; readonly d: unknown }
  /** Answer to `pub`; `dup` = it was already stored, the position is that of the first time (0 when it is no longer known). */
  | { readonly t: "pub.ok"; readonly i: number; readonly e: string; readonly o: number; readonly dup?: boolean }
  | { readonly t: "unsub.ok"; readonly i: number; readonly c: string }
  /**
   * Messages `from`+1..`to` of the stream can no longer be had; the cursor becomes (`e`, `to`). `stream-lost`: nothing is known of the
   * client's epoch any more, so `from` may be above `to`.
   */
  | {
      readonly t: "gap";
      readonly c: string;
      readonly e: string;
      readonly from: number;
      readonly to: number;
      readonly why: GapReason;
    }
  /** The store lost writes: what this client saw above `prev.offset` is not part of the stream any more. The next publication is `o` + 1 of epoch `e`. */
  | { readonly t: "diverged"; readonly c: string; readonly e: string; readonly o: number; readonly prev: Position }
  | {
      readonly t: "page";
      readonly i: number;
      readonly c: string;
      /** Epoch of the first item; of the stream when there is none. */
      readonly e: string;
      readonly items: readonly PublicationFrame[];
      readonly more: boolean;
    }
  /** Every restored subscription has been sent up to its top: the client may `commit`. */
  | { readonly t: "ready" }
  | { readonly t: "commit.ok"; readonly i: number; readonly g: number }
  | MigrateFrame
  /** Use this window for the next reconnect whatever its cause. */
  | { readonly t: "pace"; readonly minMs: number; readonly maxMs: number; readonly forMs: number }
  | { readonly t: "ping" }
  | { readonly t: "pong"; readonly i: number }
  | {
      readonly t: "err";
      readonly i?: number;
      readonly code: WireErrorName;
      readonly message: string;
      readonly afterMs?: number;
      readonly last?: number;
    }
  /** Sent before a close by the server: the window to come back in. */
  | { readonly t: "bye"; readonly code: number; readonly why: string; readonly minMs: number; readonly maxMs: number };

export type ServerFrameType = ServerFrame["t"];
