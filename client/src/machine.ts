// The connection as the application sees it. Pure. Not here: the second socket of a move (move.ts), which never leaves `live`.
//
//                 start              opened             welcomed             ready
//        idle ───────────▶ connecting ──────▶ greeting ──────────▶ restoring ─────▶ live
//                             ▲   │              │                  │    ▲           │ │
//                       retry │   │ lost         │ lost        lost │    └───────────┘ │ lost
//                             │   ▼              ▼                  ▼     orphaned     ▼
//                           waiting ◀───────────────────────────────────────────────────
//
//        any of these ── stop ──▶ closed           any of these ── refuse ──▶ given-up        (both terminal)
//
// orphaned: the socket broke while the next one was prepared already, so its commit is all that is missing.

export type ConnectionState =
  /** Made, not started. */
  | "idle"
  /** A token is being fetched or a socket opened. */
  | "connecting"
  /** The socket is open and `hello` was sent. */
  | "greeting"
  /** The session is known; missed messages are on their way. Publishes go out already. */
  | "restoring"
  | "live"
  /** Between two attempts. */
  | "waiting"
  | "closed"
  | "given-up";

export type ConnectionEvent =
  | "start"
  | "opened"
  | "welcomed"
  | "ready"
  | "orphaned"
  | "lost"
  | "retry"
  | "stop"
  | "refuse";

const ENDS = { stop: "closed", refuse: "given-up" } as const;

export const transitions = {
  idle: { start: "connecting", ...ENDS },
  connecting: { opened: "greeting", lost: "waiting", ...ENDS },
  greeting: { welcomed: "restoring", lost: "waiting", ...ENDS },
  restoring: { ready: "live", lost: "waiting", ...ENDS },
  live: { orphaned: "restoring", lost: "waiting", ...ENDS },
  waiting: { retry: "connecting", ...ENDS },
  closed: {},
  "given-up": {},
} as const satisfies Record<ConnectionState, Partial<Record<ConnectionEvent, ConnectionState>>>;

/** The state after `event`, or `undefined` where the event means nothing in `state`. */
export function stateAfter(state: ConnectionState, event: ConnectionEvent): ConnectionState | undefined {
  const row: Partial<Record<ConnectionEvent, ConnectionState>> = transitions[state];
  return row[event];
}

/** True once no event changes the state any more. */
export function isTerminal(state: ConnectionState): boolean {
  return state === "closed" || state === "given-up";
}
