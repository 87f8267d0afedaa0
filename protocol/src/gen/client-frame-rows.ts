// Every frame that a client sends, for the reference.

import type { ClientFrame } from "../frames.ts";
import type { FrameRows } from "./frame-shape.ts";

const REQUEST = ["integer", "Request id, chosen by the client; the answer carries it."] as const;
const CHANNEL = ["text", "Channel."] as const;
const DATA = ["any JSON", "The payload."] as const;

export const CLIENT_FRAME_ROWS: FrameRows<ClientFrame> = {
  hello: {
    meaning: "The first frame on every socket.",
    fields: {
      token: ["text", "Signed token; absent for anonymous users.", "optional"],
      user: ["text", "Name that an anonymous user asks for.", "optional"],
      device: ["text", "Names the device among the user's.", "optional"],
      instance: [
        "text",
        "This run of the client, at most 64 characters. A session in use elsewhere is resumed by the same instance only; a copied page gets a new session.",
        "optional",
      ],
      producer: [
        "{id, gen}",
        "Who publishes. `id`: 1 to 128 characters, the same for the life of the client. `gen`: starts at 1, rises when numbering starts again.",
      ],
      caps: ["list of text", "What the client can do: `migrate`, `resume`, `batch`. Unknown names are ignored."],
      resume: [
        "{session, secret, pos}",
        "Continue a session. `pos` = a list of [channel, epoch, offset]: where the client stands in each channel.",
        "optional",
      ],
      ticket: ["text", "The ticket of a `migrate`, with `resume`.", "optional"],
      prepare: ["boolean", "True: first phase of a move. Else the session is taken over at once.", "optional"],
      sub: ["list of {c, from?}", "Subscriptions in the same flight.", "optional"],
    },
  },
  sub: {
    meaning: "Subscribe to a channel. Answer: `sub.ok`.",
    fields: {
      i: REQUEST,
      c: CHANNEL,
      from: ["{epoch, offset}", "Continue after this position; absent = from the top.", "optional"],
    },
  },
  unsub: { meaning: "Leave a channel. Answer: `unsub.ok`.", fields: { i: REQUEST, c: CHANNEL } },
  pub: {
    meaning: "Publish, stored. Answer: `pub.ok`.",
    fields: {
      i: REQUEST,
      c: CHANNEL,
      s: ["integer", "The producer's sequence number in this channel: from 1, without gaps."],
      d: DATA,
    },
  },
  "pub.ephemeral": { meaning: "Publish, not stored, may get lost. No answer.", fields: { c: CHANNEL, d: DATA } },
  fetch: {
    meaning: "Read history. Answer: `page`.",
    fields: {
      i: REQUEST,
      c: CHANNEL,
      from: ["{epoch, offset}", "Read after this position."],
      n: ["integer", "Most messages wanted."],
    },
  },
  commit: {
    meaning: "On the new socket of a move: from here on the session lives there. Answer: `commit.ok`.",
    fields: { i: REQUEST },
  },
  "migrate.fail": {
    meaning: "On the old socket: the move could not be made, the client stays.",
    fields: { id: ["text", "`id` of the `migrate`."], why: ["text", "For people."] },
  },
  ping: { meaning: "Is anybody there? Answer: `pong`.", fields: { i: REQUEST } },
  pong: { meaning: "Answer to the server's `ping`.", fields: {} },
  rpc: {
    meaning:
      "Call a route of the application. Answer: `rpc.ok`, or `err`; with `unavailable` and `rate-limited` nothing was done, with `outcome-unknown` nobody knows.",
    fields: {
      i: REQUEST,
      m: ["text", "Name of the route."],
      k: ["text", "Names this call, 1 to 128 characters: the same each time it is sent."],
      d: DATA,
      again: [
        "boolean",
        "True: it was sent before and had no answer. Routes that are not idempotent answer `outcome-unknown`.",
        "optional",
      ],
      timeoutMs: ["ms", "How long the client waits; the route may have less.", "optional"],
    },
  },
  refresh: {
    meaning:
      "A new token in the place of the one that the session has, of the same user and tenant. Its grants hold from now on. Answer: `refresh.ok`.",
    fields: { i: REQUEST, token: ["text", "Signed token."] },
  },
  "state.set": {
    meaning:
      "Keep something with the session: it travels with moves and resumes and ends with the session. Answer: `state.ok`.",
    fields: { i: REQUEST, d: ["any JSON", "At most 4 KiB; `null` removes it."] },
  },
  "state.get": { meaning: "Read it. Answer: `state.ok`.", fields: { i: REQUEST } },
  "inbox.open": {
    meaning:
      "Ask where this device (`hello.device`) stands in its user's inbox: after what it acknowledged, else before the oldest message that is kept. Subscribe to `~inbox` from there. Write to a user with `pub` to `~user/NAME`. Answer: `inbox.ok`.",
    fields: { i: REQUEST },
  },
  "inbox.ack": {
    meaning:
      "The device keeps all messages up to here. The senders get receipts in their inboxes: publications of `~receipt/USER` with {kind: `delivered` or `read`, to, e, o}. Answer: `inbox.ok`.",
    fields: {
      i: REQUEST,
      e: ["text", "Epoch."],
      o: ["integer", "Offset of the last of them."],
      read: ["boolean", "The user has seen them.", "optional"],
    },
  },
  "presence.enter": {
    meaning:
      "Be present in the channel until `presence.leave` or the end of the session; again = change the data. It travels with moves and resumes. Answer: `presence.ok`.",
    fields: { i: REQUEST, c: CHANNEL, d: ["any JSON", "What others see beside the user, at most 1 KiB."] },
  },
  "presence.leave": { meaning: "Be present no more. Answer: `presence.ok`.", fields: { i: REQUEST, c: CHANNEL } },
  "presence.watch": {
    meaning: "Hear who is present, until the socket ends: a `pres` with all, then changes. Answer: `presence.ok`.",
    fields: { i: REQUEST, c: CHANNEL },
  },
  "presence.unwatch": { meaning: "Hear no more. Answer: `presence.ok`.", fields: { i: REQUEST, c: CHANNEL } },
  "presence.get": {
    meaning: "Read who is present, page by page. Answer: `presence.page`.",
    fields: {
      i: REQUEST,
      c: CHANNEL,
      after: ["text", "`next` of the page before.", "optional"],
      n: ["integer", "About how many are wanted."],
    },
  },
};
