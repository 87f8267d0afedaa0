// Frames of clients without the subprotocol: any WebSocket library and JSON. At most once: what is published while such a client is
// away does not reach it, nothing is resumed, and the connection ends with 1012 when the pod goes. Not here: the protocol of the SDK.
//
// One JSON object per text message. The first one may be `authenticate`; any other means "anonymous". It must come within
// `WIRE_DEFAULTS.helloDeadlineMs` (close 4003). Unknown members are ignored, an unknown `type` is answered with `error`. A message that
// is no JSON object ends the connection with 4000. WebSocket pings are answered by every library; there are no pings in JSON.

/** What a plain client sends. `id` is the client's own, and comes back in the answer. */
export type PlainClientFrame =
  /** Says who it is; without `token` an anonymous user with the wanted name. Answer: `connected`, or close 4001. */
  | { readonly type: "authenticate"; readonly token?: string; readonly user?: string }
  /** From now on `message`s of the channel. Answer: `subscribed`. */
  | { readonly type: "subscribe"; readonly channel: string; readonly id?: number }
  /** Answer: `unsubscribed`. */
  | { readonly type: "unsubscribe"; readonly channel: string; readonly id?: number }
  /** Answer, only where `id` was given: `published`. An `error` with `unavailable` leaves open whether it was stored. */
  | { readonly type: "publish"; readonly channel: string; readonly data: unknown; readonly id?: number }
  /** Answer: `pong`. */
  | { readonly type: "ping"; readonly id?: number };

export type PlainMessage = {
  readonly type: "message";
  readonly channel: string;
  /** User that published. */
  readonly from: string;
  /** Milliseconds since 1970, by the store's clock; absent on messages that are not stored. */
  readonly timestamp?: number;
  readonly data: unknown;
};

/** When to come back: a random time between the two. Milliseconds. */
export type PlainWindow = { readonly reconnect_min_ms: number; readonly reconnect_max_ms: number };

/** What a plain client receives. */
export type PlainServerFrame =
  /** Before every other frame. */
  | { readonly type: "connected"; readonly user: string; readonly tenant: string }
  | { readonly type: "subscribed"; readonly channel: string; readonly id?: number }
  | { readonly type: "unsubscribed"; readonly channel: string; readonly id?: number }
  | { readonly type: "published"; readonly id: number }
  | PlainMessage
  /** Messages that came together, oldest first, at most `PLAIN_BATCH`. */
  | { readonly type: "batch"; readonly messages: readonly PlainMessage[] }
  | { readonly type: "pong"; readonly id?: number }
  /** `code` is a code of `err`. */
  | { readonly type: "error"; readonly code: string; readonly message: string; readonly id?: number }
  /** The pod is going. `closing`: the close with 1012 follows at once; else it comes later, and the client may go when it likes. */
  | ({ readonly type: "server_shutdown"; readonly closing: boolean } & PlainWindow)
  /** Load is being spread: the close with 1012 follows at once, and coming back to the same URL finds another pod. */
  | ({ readonly type: "migrate_connection" } & PlainWindow);

/** Most messages of one `batch`. */
export const PLAIN_BATCH = 100;
