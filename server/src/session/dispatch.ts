// What each frame of a session leads to. Not here: opening and committing (connection.ts), the services themselves.

import { INBOX_CHANNEL } from "@wscluster/protocol";
import type { ClientFrame } from "@wscluster/protocol";
import { answerRefresh } from "../auth/refresh.ts";
import { BrokerUnavailable } from "../broker/port.ts";
import { answerInbox } from "../inbox/requests.ts";
import { answerPresence } from "../presence/requests.ts";
import { answerRpc } from "../router/requests.ts";
import { isChannelName, isReadable, isWritable } from "./channel-names.ts";
import { timed } from "../telemetry/response.ts";
import { subscribe, unsubscribe } from "./channels.ts";
import type { Connection } from "./connection.ts";
import { answerFetch } from "./fetch.ts";
import { answerState } from "./notes.ts";

/** In place of a channel's name, for the order of requests about the state. */
const STATE_TURN = "~state";
const TOKEN_TURN = "~token";

export type SessionFrame = Exclude<ClientFrame, { readonly t: "commit" }>;

export function dispatch(connection: Connection, frame: SessionFrame, data: string): void {
  const { context, row, turns } = connection;
  switch (frame.t) {
    case "pong":
      return;
    case "ping":
      connection.send({ t: "pong", i: frame.i });
      return;
    case "migrate.fail":
      context.moves.failed(connection, frame.id, frame.why);
      return;
    case "hello":
      connection.end("protocolError");
      return;
    case "pub":
      if (connection.mayWrite(frame.i, isWritable(frame.c), "publish", frame.c))
        connection.publishes.add(connection, frame, data);
      return;
    case "pub.ephemeral":
      if (connection.mayWrite(undefined, isChannelName(frame.c), "publish", frame.c) && row) {
        context.broker.publishEphemeral(`${row.tenant}/${frame.c}`, row.user, data);
      }
      return;
    case "sub":
      if (connection.mayWrite(frame.i, isReadable(frame.c), "subscribe", frame.c)) {
        turns.run(frame.c, () =>
          timed(context.metrics, "sub", () => subscribe(connection, frame.i, frame.c, frame.from)),
        );
      }
      return;
    case "unsub":
      if (connection.mayWrite(frame.i, isReadable(frame.c))) {
        turns.run(frame.c, () => unsubscribe(connection, frame.i, frame.c));
      }
      return;
    case "presence.enter":
    case "presence.leave":
    case "presence.watch":
    case "presence.unwatch":
    case "presence.get":
      if (connection.mayWrite(frame.i, isChannelName(frame.c), "presence", frame.c)) {
        serve(connection, frame.i, frame.c, () => answerPresence(connection, frame, data));
      }
      return;
    case "inbox.open":
    case "inbox.ack":
      if (connection.mayWrite(frame.i, true)) {
        serve(connection, frame.i, INBOX_CHANNEL, () => answerInbox(connection, frame));
      }
      return;
    case "state.set":
    case "state.get":
      if (connection.mayWrite(frame.i, true)) {
        serve(connection, frame.i, STATE_TURN, () => answerState(connection, frame, data));
      }
      return;
    case "fetch":
      if (!isReadable(frame.c)) connection.fail("bad-channel", frame.i);
      else if (!connection.permits("history", frame.c)) connection.fail("forbidden", frame.i);
      else void timed(context.metrics, "fetch", () => answerFetch(connection, frame));
      return;
    case "rpc":
      if (connection.mayWrite(frame.i, true, "rpc", frame.m)) void answerRpc(connection, context.router, frame, data);
      return;
    case "refresh":
      if (connection.mayWrite(frame.i, true)) {
        serve(connection, frame.i, TOKEN_TURN, () => answerRefresh(connection, frame));
      }
  }
}

function serve(connection: Connection, i: number, turn: string, task: () => Promise<void>): void {
  connection.turns.run(turn, async () => {
    try {
      if (connection.state === "ready") await task();
    } catch (error) {
      if (!(error instanceof BrokerUnavailable)) throw error;
      connection.fail("unavailable", i);
    }
  });
}
