// The wire protocol as one page of Markdown, from the tables and the prose beside this file. Pure: the prose is an argument.

import { CLOSE_CODES } from "../close-codes.ts";
import { WIRE_ERRORS } from "../error-codes.ts";
import { SUBPROTOCOL } from "../limits.ts";
import { WIRE_DEFAULTS } from "../wire-defaults.ts";
import { CLIENT_FRAME_ROWS } from "./client-frame-rows.ts";
import type { FrameRow } from "./frame-shape.ts";
import { PLAIN_CLIENT_FRAME_ROWS, PLAIN_SERVER_FRAME_ROWS } from "./plain-frame-rows.ts";
import { SERVER_FRAME_ROWS } from "./server-frame-rows.ts";

/** Names of the Markdown files in `prose/`, in the order of the page. */
export const PROSE = ["first", "second", "services", "plain", "conversations"] as const;
export type Prose = Readonly<Record<(typeof PROSE)[number], string>>;

/** A conversation's file name without its ending, and what it is about. */
export type ConversationTitle = { readonly name: string; readonly about: string };

const LIMITS: Readonly<Record<keyof typeof WIRE_DEFAULTS, string>> = {
  helloDeadlineMs: "A socket that has not said `hello` by then is closed with 4003.",
  heartbeatMs: "The server pings when nothing else went out for this long (`welcome` tells).",
  maxPayloadBytes: "Largest frame of a client (`welcome` tells); above it 1009.",
  sessionTtlMs: "A session can be resumed for this long (`welcome` tells).",
  maxSubscriptions: "Most channels of one session.",
  maxChannelBytes: "Longest channel name in UTF-8. It has no control characters and does not begin with `$` or `~`.",
  maxStateBytes: "Most bytes of `state.set`.",
  pageSize: "Most messages of a `page`.",
  requestTimeoutMs: "How long a client waits for an answer.",
  republishKeepMs: "How long a publisher keeps what was acknowledged, for `diverged`.",
};

/** @param conversations those in `docs/protocol/conversations`, in the order of the page. */
export function protocolDocument(prose: Prose, conversations: readonly ConversationTitle[]): string {
  const values = { SUBPROTOCOL, ...WIRE_DEFAULTS };
  const filled = (text: string) =>
    text.trim().replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => String(values[name as keyof typeof values]));
  return `# The wire protocol (\`${SUBPROTOCOL}\`)

Generated from \`protocol/src\` by \`npm run gen\`; edits are lost.

${filled(prose.first)}

${filled(prose.second)}

${filled(prose.services)}

## Frames of the client

${framesOf(CLIENT_FRAME_ROWS)}
## Frames of the server

${framesOf(SERVER_FRAME_ROWS)}
## Close codes

Codes that are not here: 4000-4099 stay-away, 4100-4199 backoff, 4200-4299 window, anything else (1006 above all) backoff.

| code | name | the client then | meaning |
|---|---|---|---|
${Object.values(CLOSE_CODES)
  .map((row) => `| ${row.code} | ${row.name} | ${row.action} | ${row.meaning} |`)
  .join("\n")}

## Codes of \`err\`

| code | try again | meaning |
|---|---|---|
${Object.entries(WIRE_ERRORS)
  .map(([code, row]) => `| \`${code}\` | ${row.retry ? "yes" : "no"} | ${row.meaning} |`)
  .join("\n")}

## Limits

| name | value | meaning |
|---|---|---|
${Object.entries(LIMITS)
  .map(([name, meaning]) => `| \`${name}\` | ${values[name as keyof typeof WIRE_DEFAULTS]} | ${meaning} |`)
  .join("\n")}

${filled(prose.plain)}

${framesOf(PLAIN_CLIENT_FRAME_ROWS)}
${framesOf(PLAIN_SERVER_FRAME_ROWS)}
${filled(prose.conversations)}

${conversations.map(({ name, about }) => `- [\`${name}\`](protocol/conversations/${name}.jsonl): ${about}`).join("\n")}
`;
}

function framesOf(rows: Readonly<Record<string, FrameRow>>): string {
  return Object.entries(rows)
    .map(([type, { meaning, fields }]) => {
      const lines = Object.entries(fields).map(([name, [kind, text, presence]]) => {
        return `| \`${name}\`${presence ? " (optional)" : ""} | ${kind} | ${text} |`;
      });
      const table = lines.length > 0 ? `\n| field | type | meaning |\n|---|---|---|\n${lines.join("\n")}\n` : "";
      return `### \`${type}\`\n\n${meaning}\n${table}`;
    })
    .join("\n");
}
