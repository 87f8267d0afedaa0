// Numbers that both ends of the wire rely on. Not here: what an operator may configure (server configuration).

/** WebSocket subprotocol that server and SDK negotiate. */
export const SUBPROTOCOL = "wscluster.v1.json";

/** Between the JSON texts of a compressed block (RFC 7464): no JSON text holds it unescaped. */
export const BLOCK_SEPARATOR = "\u001e";

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
