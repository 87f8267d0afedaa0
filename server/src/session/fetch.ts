// Answer to `fetch`: one page of a channel's history. Not here: replay of subscriptions (hub/).

import { WIRE_DEFAULTS } from "@wscluster/protocol";
import type { ClientFrame } from "@wscluster/protocol";
import type { Page } from "../broker/port.ts";
import { continuationOf } from "../streams/continuation.ts";
import { publicationHead } from "../streams/frames.ts";
import { textFrame } from "../transport/wire-frame.ts";
import { streamOf } from "./channel-names.ts";
import type { Connection } from "./connection.ts";

type FetchFrame = Extract<ClientFrame, { readonly t: "fetch" }>;

/** A page is bounded in bytes too: a client may ask for 100 payloads of 64 KiB. */
const PAGE_BYTES = 256 * 1024;

export async function answerFetch(connection: Connection, frame: FetchFrame): Promise<void> {
  const { row, context } = connection;
  if (!row) return;
  const limit = Math.min(Math.max(frame.n, 1), WIRE_DEFAULTS.pageSize);
  const stream = streamOf(row, frame.c);
  let page: Page;
  try {
    page = await context.broker.read(stream, frame.from.offset, limit);
    const continuation = continuationOf(frame.from, page.top);
    // A position that is not part of the stream any more: from where it left it, or from the oldest that is kept.
    if (continuation.kind === "diverged") page = await context.broker.read(stream, continuation.prev.offset, limit);
    else if (continuation.kind === "unknown") page = await context.broker.read(stream, 0, limit);
  } catch {
    connection.fail("unavailable", frame.i);
    return;
  }
  connection.socket.push(textFrame(pageText(frame.i, frame.c, page)));
}

function pageText(i: number, channel: string, page: Page): string {
  const channelJson = JSON.stringify(channel);
  const items: string[] = [];
  let bytes = 0;
  for (const item of page.items) {
    bytes += item.data.length;
    if (items.length > 0 && bytes > PAGE_BYTES) break;
    items.push(`${publicationHead(channelJson, item)}${item.data.toString()}}`);
  }
  const last = page.items[items.length - 1]?.offset ?? page.top.top;
  const epoch = JSON.stringify(page.items[0]?.epoch ?? page.top.epoch);
  return `{"t":"page","i":${i},"c":${channelJson},"e":${epoch},"items":[${items.join(",")}],"more":${last < page.top.top}}`;
}
