// What is in force on the wire where no configuration says otherwise. Not here: what an operator may configure (server configuration).

import { CLIENT_DEFAULTS } from "./client-defaults.ts";

/** Defaults in force where no configuration says otherwise. Milliseconds, bytes, counts. */
export const WIRE_DEFAULTS = {
  ...CLIENT_DEFAULTS,
  /** A socket that has not said `hello` by then is closed with 4003. */
  helloDeadlineMs: 8_000,
  /** A session can be resumed this long after its pod was last alive. */
  sessionTtlMs: 120_000,
  /** Most channels of one session. */
  maxSubscriptions: 256,
  /** Longest channel name in UTF-8 bytes. */
  maxChannelBytes: 200,
  /** What an application may keep with a session. */
  maxStateBytes: 4 * 1024,
} as const;
