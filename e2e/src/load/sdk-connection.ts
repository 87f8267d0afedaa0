// The load's port over the SDK. Not here: what is published and judged.
import { connect as connectSdk } from "@wscluster/client";
import type { ConnectionEvents, LoadConnection } from "./connection.ts";
import { JournaledSocket } from "./journaled-socket.ts";
import { SocketJournal } from "./socket-journal.ts";

/** One client of the SDK over `ws`; it begins to connect at once. */
export function sdkConnection(url: string, user: string, events: ConnectionEvents, now: () => number): LoadConnection {
  const journal = new SocketJournal(now);
  const client = connectSdk({
    url,
    user,
    webSocket: (target, subprotocol) => new JournaledSocket(target, subprotocol, journal.begin()),
  });
  client.on("disconnect", () => events.disconnected());
  client.on("diverged", (event) => events.gap(event.channel, "diverged"));
  client.on("gap", (event) => events.gap(event.channel, event.why));
  return {
    get sockets() {
      return journal.lives;
    },
    async open() {
      await client.ready();
    },
    async subscribe(channel, after) {
      const subscription = client.subscribe(channel, {
        ...(after === undefined ? {} : { from: after }),
        onMessage: (message) => events.delivered({ channel, offset: message.offset, data: message.data }),
      });
      const { position } = await subscription.subscribed();
      return after ?? position;
    },
    async publish(channel, data) {
      const { offset } = await client.publish(channel, data);
      return offset;
    },
    close() {
      client.close();
    },
  };
}
