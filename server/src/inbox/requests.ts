// A device's place in its user's inbox, and the receipts that its progress causes. The messages themselves are a stream as any other:
// written by `pub` to `~user/NAME`, read by `sub` of `~inbox`. Not here: frames of channels, cursors in the store.

import { INBOX_CHANNEL, RECEIPT_PUBLISHER, WIRE_DEFAULTS } from "@wscluster/protocol";
import type { ClientFrame, Position } from "@wscluster/protocol";
import { BrokerUnavailable } from "../broker/port.ts";
import type { Broker, SessionRow } from "../broker/port.ts";
import { inboxOf, streamOf } from "../session/channel-names.ts";
import type { Connection } from "../session/connection.ts";

export type InboxFrame = Extract<ClientFrame, { readonly t: `inbox.${string}` }>;

/** Name of the cursor up to which the user has read, on whatever device. A device's is `d:DEVICE`. */
const READ_CURSOR = "read";

/** Rejects with `BrokerUnavailable`. */
export async function answerInbox(connection: Connection, frame: InboxFrame): Promise<void> {
  const { row, context } = connection;
  if (!row) return;
  const { broker } = context;
  const stream = streamOf(row, INBOX_CHANNEL);
  if (frame.t === "inbox.open") {
    const { epoch, offset } = (await broker.cursors.get(stream, deviceCursor(row))) ?? (await oldest(broker, stream));
    connection.send({ t: "inbox.ok", i: frame.i, e: epoch, o: offset });
    return;
  }
  const { e: epoch, o: offset } = frame;
  // Receipts first: whoever dies in between is asked again by the device, and says the same receipts again, which changes nothing.
  for (const [kind, name] of frame.read === true ? [delivered(row), read] : [delivered(row)]) {
    const from = await broker.cursors.get(stream, name);
    if (from?.epoch === epoch && from.offset >= offset) continue;
    await tellSenders(broker, row, kind, from?.offset ?? 0, offset);
    await broker.cursors.advance(stream, name, { epoch, offset });
  }
  connection.send({ t: "inbox.ok", i: frame.i, e: epoch, o: offset });
}

const delivered = (row: SessionRow) => ["delivered", deviceCursor(row)] as const;
const read = ["read", READ_CURSOR] as const;

function deviceCursor({ device }: SessionRow): string {
  return `d:${device}`;
}

/** Before the oldest message that is kept: a new device gets all of them. */
async function oldest(broker: Broker, stream: string): Promise<Position> {
  const { top, items } = await broker.read(stream, 0, 1);
  return { epoch: top.epoch, offset: (items[0]?.offset ?? top.top + 1) - 1 };
}

/** One receipt per sender: everything of theirs up to that offset. */
async function tellSenders(
  broker: Broker,
  { tenant, user }: SessionRow,
  kind: "delivered" | "read",
  after: number,
  upTo: number,
): Promise<void> {
  const last = new Map<string, Position>();
  let from = after;
  while (from < upTo) {
    const { items } = await broker.read(inboxOf(tenant, user), from, WIRE_DEFAULTS.pageSize);
    for (const { user: sender, offset, epoch } of items) {
      if (offset <= upTo && sender !== user && !sender.startsWith(RECEIPT_PUBLISHER))
        last.set(sender, { epoch, offset });
    }
    const end = items[items.length - 1];
    if (!end) break;
    from = end.offset;
  }
  const results = await Promise.all(
    [...last].map(([sender, { epoch, offset }]) =>
      broker.publish({
        stream: inboxOf(tenant, sender),
        // The offset as generation: said again, or by another device, it is refused and nobody hears it twice.
        producer: `${tenant}/${user}/${RECEIPT_PUBLISHER}${kind}`,
        gen: offset,
        seq: 1,
        user: `${RECEIPT_PUBLISHER}${user}`,
        data: JSON.stringify({ kind, to: user, e: epoch, o: offset }),
      }),
    ),
  );
  if (results.some((result) => result.kind === "unavailable")) {
    throw new BrokerUnavailable("cannot store a receipt: the store did not answer");
  }
}
