// Numbers that both ends of the wire rely on. Not here: what an operator may configure (server configuration).

/** WebSocket subprotocol that server and SDK negotiate. */
export const SUBPROTOCOL = "wscluster.v1.json";

/** The user's own inbox: a channel to subscribe to. */
export const INBOX_CHANNEL = "~inbox";
/** `~user/NAME`: that user's inbox, a channel to publish to. */
export const USER_CHANNEL = "~user/";
/** Channels that mean something else to each identity: all devices of the user, this session, its tenant, everybody. Only servers write there. */
export const OWN_CHANNELS = ["~me", "~session", "~tenant", "~all"] as const;
/** Begins the publisher (`p`) of what a server publishes by itself. */
export const SERVER_PUBLISHER = "~server/";
/** Begins the publisher (`p`) of receipts; no user's name has a `/`. The rest is the user that got the message. */
export const RECEIPT_PUBLISHER = "~receipt/";

/** Version of the session row, ticket and frame formats; a reader takes N-1..N+1. */
export const FORMAT_VERSIONS = { protocol: 1, session: 1, ticket: 1 } as const;

/** Offsets and sequence numbers stay exact in a double. */
export const MAX_OFFSET = 9_007_199_254_740_991;

/** Defaults in force where no configuration says otherwise. Milliseconds, bytes, counts. */
export const WIRE_DEFAULTS = {
  /** A socket that has not said `hello` by then is closed with 4003. */
  helloDeadlineMs: 8_000,
  /** Server ping when nothing else went out; two unanswered ones close with 4104. */
  heartbeatMs: 20_000,
  /** Largest client frame. */
  maxPayloadBytes: 64 * 1024,
  /** A session can be resumed this long after its pod was last alive. */
  sessionTtlMs: 120_000,
  /** Most channels of one session. */
  maxSubscriptions: 256,
  /** Longest channel name in UTF-8 bytes. */
  maxChannelBytes: 200,
  /** What an application may keep with a session. */
  maxStateBytes: 4 * 1024,
  /** Messages a catch-up page carries. */
  pageSize: 100,
  /** How long an unanswered request waits before the SDK asks again. */
  requestTimeoutMs: 10_000,
  /** How long publishers keep acknowledged messages, to publish them again after `diverged`. */
  republishKeepMs: 30_000,
} as const;
