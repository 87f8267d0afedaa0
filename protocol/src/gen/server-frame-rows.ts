// Every frame that a server sends, for the reference.

import type { ServerFrame } from "../frames.ts";
import type { FrameRows } from "./frame-shape.ts";

const REQUEST = ["integer", "Id of the request that this answers."] as const;
const CHANNEL = ["text", "Channel."] as const;
const EPOCH = ["text", "Epoch."] as const;
const DATA = ["any JSON", "The payload."] as const;
const PUBLISHER = ["text", "User that published."] as const;
const MIN = ["ms", "Earliest time to come back."] as const;
const MAX = ["ms", "Latest time to come back."] as const;

export const SERVER_FRAME_ROWS: FrameRows<ServerFrame> = {
  welcome: {
    meaning: "Answer to `hello`: the session.",
    fields: {
      session: ["text", "Id of the session."],
      secret: ["text", "Opens the session again; only for a new one. Keep it.", "optional"],
      g: ["integer", "Generation: rises by one with each resume and each committed move."],
      user: ["text", "The user as the server knows it."],
      tenant: ["text", "Its tenant."],
      pod: ["text", "KEY of the pod that answers."],
      resumed: ["boolean", "True: the session of `hello.resume` goes on. False: a new one, with a new secret."],
      prepared: ["boolean", "True in the first phase of a move: read-only until `commit.ok`."],
      ttlMs: ["ms", "How long a session can be resumed after its socket broke."],
      heartbeatMs: ["ms", "The server pings when nothing else went out for this long."],
      maxPayloadBytes: ["bytes", "Largest frame that the server takes."],
    },
  },
  "sub.ok": {
    meaning: "A subscription begins. Messages up to `o` follow if a position was given, then live ones.",
    fields: {
      i: ["integer", "Id of the request; 0 for those of `hello`."],
      c: CHANNEL,
      e: EPOCH,
      o: ["integer", "Top of the stream when the subscription began."],
      recovered: ["boolean", "False: a `gap` or `diverged` comes before any other frame of the channel."],
    },
  },
  pub: {
    meaning: "A message. The same bytes for every subscriber.",
    fields: {
      c: CHANNEL,
      o: ["integer", "Offset."],
      e: ["text", "Epoch; present on the first message of an epoch only.", "optional"],
      x: ["text", "W3C `traceparent` of a message that is traced.", "optional"],
      p: PUBLISHER,
      ts: ["µs", "When it was stored, since 1970 by the store's clock; never falls within a channel."],
      d: DATA,
    },
  },
  "pub.ephemeral": {
    meaning: "A message that is not stored and has no number.",
    fields: { c: CHANNEL, p: PUBLISHER, d: DATA },
  },
  "pub.ok": {
    meaning: "The publish is stored at this position.",
    fields: {
      i: REQUEST,
      e: EPOCH,
      o: ["integer", "Offset; 0 when a `dup` is too old to know it."],
      dup: ["boolean", "True: it had been stored before.", "optional"],
    },
  },
  "unsub.ok": { meaning: "The channel is left.", fields: { i: REQUEST, c: CHANNEL } },
  gap: {
    meaning: "Messages `from` + 1 to `to` can no longer be had. Go on from (`e`, `to`).",
    fields: {
      c: CHANNEL,
      e: EPOCH,
      from: ["integer", "Where the client stood."],
      to: ["integer", "Where it stands now; below `from` only with `stream-lost`."],
      why: [
        "word",
        "`history-expired`; `stream-lost`: nothing is known of the client's epoch any more; `conflated`: older than the newest, left out on purpose.",
      ],
    },
  },
  diverged: {
    meaning: "The store lost writes: what came above `prev.offset` is not part of the stream any more.",
    fields: {
      c: CHANNEL,
      e: ["text", "The epoch that goes on from there."],
      o: ["integer", "The next message is `o` + 1."],
      prev: ["{epoch, offset}", "The epoch that ended, and the last offset of it that counts."],
    },
  },
  page: {
    meaning: "A page of history.",
    fields: {
      i: REQUEST,
      c: CHANNEL,
      e: ["text", "Epoch of the first item; of the stream when there is none."],
      items: ["list of `pub`", "Oldest first."],
      more: ["boolean", "More can be had after the last item."],
    },
  },
  "rpc.ok": { meaning: "What the route answered.", fields: { i: REQUEST, d: ["any JSON", "The answer."] } },
  "refresh.needed": {
    meaning: "The token ends soon: send `refresh`, or the connection is closed with 4001 when it ends.",
    fields: { inMs: ["ms", "Until it ends."] },
  },
  "refresh.ok": {
    meaning: "The new token counts.",
    fields: { i: REQUEST, inMs: ["ms", "Until it ends; absent = it does not end.", "optional"] },
  },
  unsubscribed: {
    meaning: "The server ended a subscription: what the token allows has changed.",
    fields: { c: CHANNEL, why: ["text", "For people."] },
  },
  "state.ok": {
    meaning: "Answer to `state.set` and `state.get`.",
    fields: { i: REQUEST, d: ["any JSON", "What is kept, for `state.get`; absent = nothing.", "optional"] },
  },
  "inbox.ok": {
    meaning: "Where the device stands.",
    fields: { i: REQUEST, e: EPOCH, o: ["integer", "Offset; the next message is `o` + 1."] },
  },
  pres: {
    meaning: "Who is present, or what changed. Moves and resumes of a member are no changes.",
    fields: {
      c: CHANNEL,
      n: ["integer", "How many are present."],
      reset: ["boolean", "`join` is everybody.", "optional"],
      many: ["boolean", "Too many to list: only `n` is told, until a frame with `reset`.", "optional"],
      join: ["list of {m, u, d}", "Session, user and data of those that came or changed their data.", "optional"],
      leave: ["list of text", "Sessions that left.", "optional"],
    },
  },
  "presence.ok": { meaning: "Done.", fields: { i: REQUEST, c: CHANNEL } },
  "presence.page": {
    meaning: "A page of those present. One that comes or goes meanwhile may be missing or come twice.",
    fields: {
      i: REQUEST,
      c: CHANNEL,
      n: ["integer", "How many are present."],
      items: ["list of {m, u, d}", "Session, user and data."],
      next: ["text", "For `after`; absent on the last page.", "optional"],
    },
  },
  ready: { meaning: "All subscriptions of `hello` have been sent up to their tops.", fields: {} },
  "commit.ok": {
    meaning: "The session lives on this socket now.",
    fields: { i: REQUEST, g: ["integer", "The new generation."] },
  },
  migrate: {
    meaning: "Please move to another pod.",
    fields: {
      id: ["text", "Id of the move, for `migrate.fail`."],
      pod: ["text", "KEY of the target: connect to the same URL with `?pod=KEY&ticket=TICKET`."],
      url: ["text", "Another URL to connect to; absent = the same.", "optional"],
      ticket: ["text", "Proves that the move was asked for. It goes into the URL and into `hello.ticket`."],
      deadlineMs: ["ms", "From receipt; later the source may close with 4201."],
      reason: ["text", "For people."],
    },
  },
  pace: {
    meaning: "Use this window for the next reconnect, whatever its cause.",
    fields: { minMs: MIN, maxMs: MAX, forMs: ["ms", "How long this holds."] },
  },
  ping: { meaning: "Answer with `pong`.", fields: {} },
  pong: { meaning: "Answer to `ping`.", fields: { i: REQUEST } },
  err: {
    meaning: "A request failed, or a frame was not understood.",
    fields: {
      i: ["integer", "Id of the request; absent when the frame had none.", "optional"],
      code: ["word", "See the table of codes."],
      message: ["text", "For people."],
      afterMs: ["ms", "Try again after this time.", "optional"],
      last: ["integer", "With `out-of-order`: the last sequence number that is stored.", "optional"],
    },
  },
  bye: {
    meaning: "The server closes next: come back in this window.",
    fields: {
      code: ["integer", "The close code that follows."],
      why: ["text", "For people."],
      minMs: MIN,
      maxMs: MAX,
    },
  },
};
