// Every frame of clients without the subprotocol, for the reference.

import { PLAIN_BATCH } from "../plain-frames.ts";
import type { PlainClientFrame, PlainServerFrame } from "../plain-frames.ts";
import type { PlainFrameRows } from "./frame-shape.ts";

const ID = ["integer", "The client's own; the answer carries it.", "optional"] as const;
const CHANNEL = ["text", "Channel."] as const;
const DATA = ["any JSON", "The payload."] as const;
const MIN = ["ms", "Earliest time to come back."] as const;
const MAX = ["ms", "Latest time to come back."] as const;

export const PLAIN_CLIENT_FRAME_ROWS: PlainFrameRows<PlainClientFrame> = {
  authenticate: {
    meaning: "Says who it is; only as the first frame. Answer: `connected`, or close code 4001.",
    fields: {
      token: ["text", "Signed token; absent for anonymous users.", "optional"],
      user: ["text", "Name that an anonymous user asks for.", "optional"],
    },
  },
  subscribe: {
    meaning: "Messages of the channel from now on. Answer: `subscribed`.",
    fields: { channel: CHANNEL, id: ID },
  },
  unsubscribe: { meaning: "Leave the channel. Answer: `unsubscribed`.", fields: { channel: CHANNEL, id: ID } },
  publish: {
    meaning: "Publish. Answer, only with an `id`: `published`.",
    fields: { channel: CHANNEL, data: DATA, id: ID },
  },
  ping: { meaning: "Is anybody there? Answer: `pong`.", fields: { id: ID } },
};

export const PLAIN_SERVER_FRAME_ROWS: PlainFrameRows<PlainServerFrame> = {
  connected: {
    meaning: "Before every other frame.",
    fields: { user: ["text", "The user as the server knows it."], tenant: ["text", "Its tenant."] },
  },
  subscribed: { meaning: "The subscription begins.", fields: { channel: CHANNEL, id: ID } },
  unsubscribed: { meaning: "The channel is left.", fields: { channel: CHANNEL, id: ID } },
  published: { meaning: "The message is stored.", fields: { id: ["integer", "That of the `publish`."] } },
  message: {
    meaning: "A message.",
    fields: {
      channel: CHANNEL,
      from: ["text", "User that published."],
      timestamp: ["ms", "When it was stored, since 1970; absent on messages that are not stored.", "optional"],
      data: DATA,
    },
  },
  batch: {
    meaning: "Messages that came together.",
    fields: { messages: ["list of `message`", `Oldest first, at most ${PLAIN_BATCH}.`] },
  },
  pong: { meaning: "Answer to `ping`.", fields: { id: ID } },
  error: {
    meaning: "A request failed, or the connection is about to be closed.",
    fields: {
      code: ["word", "See the table of codes."],
      message: ["text", "For people."],
      id: ID,
    },
  },
  server_shutdown: {
    meaning: "The pod is going.",
    fields: {
      closing: ["boolean", "True: close code 1012 follows at once. False: later; go when you like."],
      reconnect_min_ms: MIN,
      reconnect_max_ms: MAX,
    },
  },
  migrate_connection: {
    meaning: "Load is being spread: close code 1012 follows at once, the same URL leads to another pod.",
    fields: { reconnect_min_ms: MIN, reconnect_max_ms: MAX },
  },
};
