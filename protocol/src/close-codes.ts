// The one table of close codes: server, SDK and the generated reference read it. Ranges decide what a client does next.

/** What a client does after a close with this code. */
export type CloseAction =
  /** Do not come back by yourself. */
  | "stay-away"
  /** Come back with backoff (full jitter). */
  | "backoff"
  /** Come back inside the window that `pace` or `bye` gave, and resume. */
  | "window"
  /** Come back with a new session. */
  | "new-session"
  /** The application ended it. */
  | "done";

export type CloseCode = {
  readonly code: number;
  readonly name: string;
  readonly action: CloseAction;
  readonly meaning: string;
};

export const CLOSE_CODES = {
  normal: { code: 1000, name: "normal", action: "done", meaning: "Either side ended the conversation on purpose." },
  goingAway: {
    code: 1001,
    name: "going-away",
    action: "window",
    meaning: "The server goes; sent to clients without the subprotocol.",
  },
  tooBig: { code: 1009, name: "too-big", action: "stay-away", meaning: "A frame was larger than the payload limit." },
  serviceRestart: {
    code: 1012,
    name: "service-restart",
    action: "window",
    meaning: "The pod goes; sent to clients without the subprotocol (RFC 6455 registry).",
  },
  tryAgainLater: {
    code: 1013,
    name: "try-again-later",
    action: "window",
    meaning: "No connection slot is free; come back in the window.",
  },
  protocolError: {
    code: 4000,
    name: "protocol-error",
    action: "stay-away",
    meaning: "A frame could not be understood.",
  },
  unauthorized: {
    code: 4001,
    name: "unauthorized",
    action: "stay-away",
    meaning: "The token is missing, wrong or expired.",
  },
  forbidden: {
    code: 4002,
    name: "forbidden",
    action: "stay-away",
    meaning: "The identity is known and may not connect.",
  },
  helloTimeout: { code: 4003, name: "hello-timeout", action: "backoff", meaning: "No hello arrived in time." },
  backoff: { code: 4100, name: "backoff", action: "backoff", meaning: "A passing fault of the server." },
  slowConsumer: {
    code: 4101,
    name: "slow-consumer",
    action: "backoff",
    meaning: "The send queue passed its hard mark.",
  },
  rateLimited: { code: 4102, name: "rate-limited", action: "backoff", meaning: "Too many messages or bytes." },
  quotaExceeded: {
    code: 4103,
    name: "quota-exceeded",
    action: "backoff",
    meaning: "A quota of the user, tenant or address is used up.",
  },
  noPong: { code: 4104, name: "no-pong", action: "backoff", meaning: "Two pings went unanswered." },
  drain: { code: 4200, name: "drain", action: "window", meaning: "The pod is going; resume on another one." },
  moveDeadline: {
    code: 4201,
    name: "move-deadline",
    action: "window",
    meaning: "A move was asked for and not finished in time.",
  },
  rebalance: { code: 4202, name: "rebalance", action: "window", meaning: "Load is being spread; resume." },
  takenOver: { code: 4210, name: "taken-over", action: "new-session", meaning: "The session lives on another socket." },
} as const satisfies Record<string, CloseCode>;

export type CloseName = keyof typeof CLOSE_CODES;

/** The numbers alone, for the SDK: the table's texts would be a tenth of its size. */
export const CLOSE = {
  normal: 1000,
  tooBig: 1009,
  unauthorized: 4001,
  backoff: 4100,
} as const satisfies Partial<Record<CloseName, number>>;

// By range, with the exceptions named, so that the SDK does not carry the table; a test holds both to each other.
const ACTIONS: Readonly<Record<number, CloseAction>> = {
  1000: "done",
  1001: "window",
  1009: "stay-away",
  1012: "window",
  1013: "window",
  4003: "backoff",
  4210: "new-session",
};

/** The action for any close code, also for those that no table entry names (1006: the connection broke). */
export function closeActionFor(code: number): CloseAction {
  const named = ACTIONS[code];
  if (named) return named;
  if (code >= 4000 && code < 4100) return "stay-away";
  if (code >= 4200 && code < 4300) return "window";
  return "backoff";
}

/** The table entry of a code, or `undefined`. */
export function closeCodeOf(code: number): CloseCode | undefined {
  return Object.values(CLOSE_CODES).find((entry) => entry.code === code);
}
