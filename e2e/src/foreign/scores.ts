// The conversations of docs/protocol/conversations before anybody answered. Pure. Not here: playing them.

import type { Capability, HelloFrame } from "@wscluster/protocol";
import type { Head, Score } from "./conversation.ts";

const CAPS: readonly Capability[] = ["migrate", "resume"];
const ann = { user: "ann", producer: { id: "ann-1", gen: 1 }, caps: CAPS };
const bob = { user: "bob", producer: { id: "bob-1", gen: 1 }, caps: CAPS };

type Who = typeof ann & { readonly device?: string };

const resumeAt = (epoch: string, offset: number): NonNullable<HelloFrame["resume"]> => ({
  session: "SESSION-1",
  secret: "SECRET-1",
  pos: [["room", epoch, offset]],
});

/** A new session of `socket` at `server`, subscribed to the room. */
function enter(socket: string, server: string, who: Who): Score {
  return [
    { open: socket, server },
    { client: socket, frame: { t: "hello", ...who, sub: [{ c: "room" }] } },
    { server: socket, t: "welcome" },
    { server: socket, t: "sub.ok" },
    { server: socket, t: "ready" },
  ];
}

/** A session that only publishes. */
function enterSilently(socket: string, server: string, who: Who): Score {
  return [
    { open: socket, server },
    { client: socket, frame: { t: "hello", ...who } },
    { server: socket, t: "welcome" },
    { server: socket, t: "ready" },
  ];
}

function publish(socket: string, s: number, text: string): Score {
  return [
    { client: socket, frame: { t: "pub", i: s, c: "room", s, d: { text } } },
    { server: socket, t: "pub.ok" },
  ];
}

export const SCORES: readonly { readonly head: Head; readonly score: Score }[] = [
  {
    head: { name: "1-first-connect", about: "A new session without subscriptions, a ping, an orderly end." },
    score: [
      ...enterSilently("a", "POD-A", ann),
      { client: "a", frame: { t: "ping", i: 1 } },
      { server: "a", t: "pong" },
      { close: "a", code: 1000 },
      { closed: "a", code: 1000 },
    ],
  },
  {
    head: {
      name: "2-subscribe-and-publish",
      about: "Two clients in one channel; messages, an ephemeral one, a page of history, unsubscribe.",
    },
    score: [
      ...enter("a", "POD-A", ann),
      ...enterSilently("b", "POD-A", bob),
      ...publish("b", 1, "first"),
      { server: "a", t: "pub" },
      ...publish("b", 2, "second"),
      { server: "a", t: "pub" },
      { client: "b", frame: { t: "pub.ephemeral", c: "room", d: { typing: true } } },
      { server: "a", t: "pub.ephemeral" },
      { client: "b", frame: { t: "fetch", i: 3, c: "room", from: { epoch: "EPOCH-1", offset: 0 }, n: 1 } },
      { server: "b", t: "page" },
      { client: "a", frame: { t: "unsub", i: 1, c: "room" } },
      { server: "a", t: "unsub.ok" },
    ],
  },
  {
    head: {
      name: "3-resume-after-a-cut",
      about:
        "The connection breaks, messages go on, the client resumes and gets what it missed; an unanswered publish is sent again.",
    },
    score: [
      ...enter("a", "POD-A", ann),
      ...enterSilently("b", "POD-A", bob),
      ...publish("b", 1, "seen"),
      { server: "a", t: "pub" },
      { stage: "cut", session: "SESSION-1", server: "POD-A" },
      { closed: "a", code: 1006 },
      ...publish("b", 2, "missed"),
      { open: "a2", server: "POD-A" },
      { client: "a2", frame: { t: "hello", ...ann, resume: resumeAt("EPOCH-1", 1) } },
      { server: "a2", t: "welcome" },
      { server: "a2", t: "sub.ok" },
      { server: "a2", t: "pub" },
      { server: "a2", t: "ready" },
      // As if the answer to the first one had been lost.
      ...publish("b", 2, "missed"),
    ],
  },
  {
    head: { name: "4-two-phase-move", about: "A move to another pod: prepare, read both sockets, commit, leave." },
    score: [
      ...enter("a", "POD-A", ann),
      ...enterSilently("b", "POD-A", bob),
      ...publish("b", 1, "before"),
      { server: "a", t: "pub" },
      { stage: "move", session: "SESSION-1", server: "POD-A", to: "POD-B" },
      { server: "a", t: "migrate" },
      { open: "a2", server: "POD-B", query: { pod: "POD-B", ticket: "TICKET-1" } },
      {
        client: "a2",
        frame: {
          t: "hello",
          producer: ann.producer,
          caps: ann.caps,
          resume: resumeAt("EPOCH-1", 1),
          ticket: "TICKET-1",
          prepare: true,
        },
      },
      { server: "a2", t: "welcome" },
      { server: "a2", t: "sub.ok" },
      { server: "a2", t: "ready" },
      ...publish("b", 2, "on both sockets"),
      { server: "a", t: "pub" },
      { server: "a2", t: "pub" },
      { client: "a2", frame: { t: "pub", i: 1, c: "room", s: 1, d: { text: "too early" } } },
      { server: "a2", t: "err" },
      { client: "a2", frame: { t: "commit", i: 2 } },
      { server: "a2", t: "commit.ok" },
      { close: "a", code: 1000 },
      { closed: "a", code: 1000 },
      ...publish("b", 3, "after"),
      { server: "a2", t: "pub" },
    ],
  },
  {
    head: {
      name: "5-gap",
      about: "History was too short for the position: a gap is told, then what is left.",
      settings: { history: { maxLength: 2, ttlMs: 300_000 } },
    },
    score: [
      ...enterSilently("b", "POD-A", bob),
      ...publish("b", 1, "gone"),
      ...publish("b", 2, "gone too"),
      ...publish("b", 3, "kept"),
      ...publish("b", 4, "kept too"),
      ...enterSilently("a", "POD-A", ann),
      { client: "a", frame: { t: "sub", i: 1, c: "room", from: { epoch: "EPOCH-1", offset: 1 } } },
      { server: "a", t: "sub.ok" },
      { server: "a", t: "gap" },
      { server: "a", t: "pub" },
      { server: "a", t: "pub" },
    ],
  },
  {
    head: {
      name: "6-diverged",
      about: "The store fails over and loses the second message: subscribers are told, the publisher sends it again.",
    },
    score: [
      ...enter("a", "POD-A", ann),
      ...enterSilently("b", "POD-A", bob),
      ...publish("b", 1, "kept"),
      { server: "a", t: "pub" },
      { stage: "replica-stops" },
      ...publish("b", 2, "lost"),
      { server: "a", t: "pub" },
      { stage: "fail-over" },
      { server: "a", t: "diverged" },
      ...publish("b", 2, "lost"),
      { server: "a", t: "pub" },
    ],
  },
  {
    head: {
      name: "7-out-of-order",
      about: "A publish is missing before another one: nothing is stored, the client goes back to it.",
    },
    score: [
      ...enterSilently("a", "POD-A", ann),
      ...publish("a", 1, "one"),
      { client: "a", frame: { t: "pub", i: 3, c: "room", s: 3, d: { text: "three" } } },
      { server: "a", t: "err" },
      ...publish("a", 2, "two"),
      ...publish("a", 3, "three"),
    ],
  },
  {
    head: {
      name: "8-inbox",
      about:
        "A message to a user who is away; the user's device comes, gets it, acknowledges, and gets only what is newer when it comes again.",
    },
    score: [
      ...enterSilently("a", "POD-A", ann),
      { client: "a", frame: { t: "pub", i: 1, c: "~user/bob", s: 1, d: { text: "are you there?" } } },
      { server: "a", t: "pub.ok" },
      ...enterSilently("b", "POD-A", { ...bob, device: "phone" }),
      { client: "b", frame: { t: "inbox.open", i: 1 } },
      { server: "b", t: "inbox.ok" },
      { client: "b", frame: { t: "sub", i: 2, c: "~inbox", from: { epoch: "EPOCH-1", offset: 0 } } },
      { server: "b", t: "sub.ok" },
      { server: "b", t: "pub" },
      { client: "b", frame: { t: "inbox.ack", i: 3, e: "EPOCH-1", o: 1 } },
      { server: "b", t: "inbox.ok" },
      { close: "b", code: 1000 },
      { closed: "b", code: 1000 },
      { client: "a", frame: { t: "pub", i: 2, c: "~user/bob", s: 2, d: { text: "hello?" } } },
      { server: "a", t: "pub.ok" },
      ...enterSilently("b2", "POD-A", { ...bob, device: "phone" }),
      { client: "b2", frame: { t: "inbox.open", i: 1 } },
      { server: "b2", t: "inbox.ok" },
      { client: "b2", frame: { t: "sub", i: 2, c: "~inbox", from: { epoch: "EPOCH-1", offset: 1 } } },
      { server: "b2", t: "sub.ok" },
      { server: "b2", t: "pub" },
    ],
  },
];
