// A conversation between clients and servers as JSON lines; docs/protocol.md tells the format. Not here: playing one (player.ts).

import type { ClientFrame, ServerFrame } from "@wscluster/protocol";

export type StageStep =
  /** The server asks the session's client to move. */
  | { readonly stage: "move"; readonly session: string; readonly server: string; readonly to: string }
  /** The session's connection breaks without a close frame. */
  | { readonly stage: "cut"; readonly session: string; readonly server: string }
  /** From here on the store's writes reach no replica. */
  | { readonly stage: "replica-stops" }
  /** The replica becomes the store: later writes are lost. */
  | { readonly stage: "fail-over" };

/** What the player does by itself. */
export type Step =
  | StageStep
  | {
      readonly open: string;
      readonly server: string;
      readonly query?: { readonly pod: string; readonly ticket: string };
    }
  | { readonly client: string; readonly frame: ClientFrame }
  | { readonly close: string; readonly code: number };

/** The next frame on the socket has this type. */
export type Expectation = { readonly server: string; readonly t: ServerFrame["t"] };
export type Closed = { readonly closed: string; readonly code: number };

/** Step by step, with names for what the server makes up. */
export type Score = readonly (Step | Expectation | Closed)[];
export type Line = Step | { readonly server: string; readonly frame: ServerFrame } | Closed;

export type Head = {
  readonly name: string;
  readonly about: string;
  readonly settings?: { readonly history: { readonly maxLength: number; readonly ttlMs: number } };
};

export type Conversation = { readonly head: Head; readonly lines: readonly Line[] };

export function formatConversation({ head, lines }: Conversation): string {
  return `${[head, ...lines].map((line) => JSON.stringify(line)).join("\n")}\n`;
}

export function parseConversation(text: string): Conversation {
  const [head, ...lines] = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
  return { head: head as Head, lines: lines as Line[] };
}

/** What has to be played to get these lines again. */
export function scoreOf({ lines }: Conversation): Score {
  return lines.map((line) => ("server" in line && "frame" in line ? { server: line.server, t: line.frame.t } : line));
}
