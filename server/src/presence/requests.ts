// The presence frames of a client. Not here: what the store and the watchers do with them (presence.ts).

import { WIRE_DEFAULTS } from "@wscluster/protocol";
import type { ClientFrame } from "@wscluster/protocol";
import type { SessionRow } from "../broker/port.ts";
import type { Connection } from "../session/connection.ts";
import { withNote } from "../session/notes.ts";
import { textFrame } from "../transport/wire-frame.ts";
import { noteNameOf, placeOf, visibleText } from "./presence.ts";
import { itemText } from "./watch.ts";

/** What a member may say about itself. */
const MAX_DATA_BYTES = 1_024;
/** Places of one session. */
const MAX_PRESENCES = 32;

export type PresenceFrame = Extract<ClientFrame, { readonly t: `presence.${string}` }>;

/** The connection may write and the channel has a name that is allowed. Rejects with `BrokerUnavailable`. */
export async function answerPresence(connection: Connection, frame: PresenceFrame, data: string): Promise<void> {
  const { row, context } = connection;
  if (!row) return;
  const { i, c } = frame;
  const place = placeOf(row.tenant, c);
  switch (frame.t) {
    case "presence.enter":
      return enter(connection, row, frame, data);
    case "presence.leave":
      if (!(await context.broker.note(row.id, row.g, noteNameOf(c), undefined))) return connection.fail("fenced", i);
      connection.row = withNote(connection.row ?? row, noteNameOf(c), undefined);
      await context.broker.presence.leave(place, row.id, row.g);
      break;
    case "presence.watch":
      await context.presence.watch(connection.socket, place, c);
      if (connection.hasClosed()) context.presence.unwatch(connection.socket, place);
      break;
    case "presence.unwatch":
      context.presence.unwatch(connection.socket, place);
      break;
    case "presence.get": {
      const limit = Math.min(Math.max(frame.n, 1), WIRE_DEFAULTS.pageSize);
      const page = await context.broker.presence.page(place, frame.after ?? "0", limit);
      const items = page.entries.map(({ member, visible }) => itemText([member, visible]));
      const next = page.next === undefined ? "" : `,"next":${JSON.stringify(page.next)}`;
      const head = `{"t":"presence.page","i":${i},"c":${JSON.stringify(c)},"n":${page.count}`;
      connection.socket.push(textFrame(`${head},"items":[${items.join(",")}]${next}}`));
      return;
    }
  }
  connection.send({ t: "presence.ok", i, c });
}

async function enter(
  connection: Connection,
  row: SessionRow,
  { i, c }: Extract<PresenceFrame, { readonly t: "presence.enter" }>,
  data: string,
): Promise<void> {
  const { context } = connection;
  const name = noteNameOf(c);
  if (Buffer.byteLength(data) > MAX_DATA_BYTES) return connection.fail("too-large", i);
  if (Object.keys(row.notes ?? {}).length >= MAX_PRESENCES && row.notes?.[name] === undefined) {
    return connection.fail("too-many-subscriptions", i);
  }
  // Known here before it is stored: if the socket closes meanwhile, the end of the session has to take it along.
  connection.row = withNote(row, name, data);
  if (!(await context.broker.note(row.id, row.g, name, data))) return connection.fail("fenced", i);
  const entry = { member: row.id, g: row.g, owner: context.podKey, visible: visibleText(row.user, data) };
  await context.broker.presence.enter(placeOf(row.tenant, c), entry);
  connection.send({ t: "presence.ok", i, c });
}
