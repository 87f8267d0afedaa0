// Reading back what a channel held. Not here: catching up after a break, which subscriptions do by themselves.

import type { Position } from "@wscluster/protocol";
import { CLIENT_DEFAULTS, isRetryable } from "@wscluster/protocol";
import type { Client } from "./client.ts";
import { ClientError, isClientError } from "./errors.ts";
import type { Message } from "./subscription.ts";
import { messageOf } from "./subscriptions.ts";

export type HistoryPage<T = unknown> = {
  readonly messages: readonly Message<T>[];
  /** More can be had after the last message. */
  readonly more: boolean;
};

/**
 * Up to `n` messages after `from` (exclusive); 100 unless told. Waits for a connection, and asks again after a break.
 * Rejects with `refused`, `closed`, `given-up`, or the signal's reason.
 */
export async function history<T = unknown>(
  client: Client,
  channel: string,
  from: Position,
  n: number = CLIENT_DEFAULTS.pageSize,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<HistoryPage<T>> {
  const messages: Message<T>[] = [];
  let at = from;
  for (;;) {
    signal?.throwIfAborted();
    await untilAborted(client.ready(), signal);
    try {
      const want = Math.min(n - messages.length, CLIENT_DEFAULTS.pageSize);
      const page = await untilAborted(pageOf(client, channel, at, want), signal);
      let epoch = page.e;
      for (const item of page.items) {
        epoch = item.e ?? epoch;
        // The wire carries JSON: that it is a T is the application's word.
        messages.push(messageOf(item, epoch) as Message<T>);
        at = { epoch, offset: item.o };
      }
      if (!page.more || page.items.length === 0 || messages.length >= n) return { messages, more: page.more };
    } catch (error) {
      // The connection broke under the question: it is a read, so it is asked again on the next one.
      if (!isClientError(error, "timeout")) throw error;
      await untilAborted(client.wire.pause(), signal);
    }
  }
}

async function pageOf(client: Client, channel: string, from: Position, n: number) {
  const page = await client.wire.ask({ t: "fetch", c: channel, from, n });
  if (page?.t === "page") return page;
  const what = `cannot read history of "${channel}"`;
  if (page?.t === "err" && !isRetryable(page.code)) {
    throw new ClientError("refused", `${what}: ${page.message}`, { wireCode: page.code });
  }
  throw new ClientError("timeout", `${what}: no answer; try again`);
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
