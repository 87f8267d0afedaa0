// Who is in a channel. Not here: the channel's messages.

import type { PresentMember, ServerFrame } from "@wscluster/protocol";
import type { Client } from "./client.ts";
import { isClientError } from "./errors.ts";
import { ask, onHome } from "./service.ts";

export type Present<T = unknown> = {
  /** Names one session: a user with two devices is there twice. */
  readonly session: string;
  readonly user: string;
  readonly data: T;
};

export interface Presence<T = unknown> {
  /** As of the last change; empty while there are too many to list. */
  readonly members: readonly Present<T>[];
  /** How many there are. */
  readonly count: number;
  /** Too many to list: only `count` is kept up to date. */
  readonly isMany: boolean;
  /** Be there, or change what is said; lasts until `leave` or the end of the session. Data of at most 1 KiB. Rejects with `refused`, `closed`, `given-up`. */
  enter(data: T): Promise<void>;
  leave(): Promise<void>;
  /** Reads all, page by page, also when they are many. */
  all(): AsyncGenerator<Present<T>, void>;
  /** Ends watching. Being there goes on. */
  stop(): void;
}

/** Watches who is in a channel. A member that moves between pods, or comes back within the grace, is no change. */
export function presence<T = unknown>(
  client: Client,
  channel: string,
  options: { readonly onChange?: (presence: Presence<T>) => void } = {},
): Presence<T> {
  const members = new Map<string, Present<T>>();
  let count = 0;
  let isMany = false;
  let entered: { readonly data: T } | undefined;

  const onFrame = (frame: ServerFrame): void => {
    if (frame.t !== "pres" || frame.c !== channel) return;
    count = frame.n;
    isMany = frame.many === true;
    if (frame.reset || isMany) members.clear();
    for (const item of frame.join ?? []) members.set(item.m, presentOf(item));
    for (const session of frame.leave ?? []) members.delete(session);
    options.onChange?.(result);
  };
  const again = (): void => {
    quietly(ask(client, `watch "${channel}"`, { t: "presence.watch", c: channel }));
    // The server keeps it for the session; a new session has to be told.
    if (entered) quietly(ask(client, `enter "${channel}"`, { t: "presence.enter", c: channel, d: entered.data }));
  };
  client.wire.taps.add(onFrame);
  const stopHome = onHome(client, again);
  const result: Presence<T> = {
    get members() {
      return [...members.values()];
    },
    get count() {
      return count;
    },
    get isMany() {
      return isMany;
    },
    async enter(data) {
      entered = { data };
      await ask(client, `enter "${channel}"`, { t: "presence.enter", c: channel, d: data });
    },
    async leave() {
      entered = undefined;
      await ask(client, `leave "${channel}"`, { t: "presence.leave", c: channel });
    },
    async *all() {
      let after: string | undefined;
      do {
        const question = { t: "presence.get", c: channel, n: 100, ...(after === undefined ? {} : { after }) } as const;
        const page = await ask(client, `read who is in "${channel}"`, question);
        if (page.t !== "presence.page") return;
        for (const item of page.items) yield presentOf<T>(item);
        after = page.next;
      } while (after !== undefined);
    },
    stop() {
      client.wire.taps.delete(onFrame);
      stopHome();
      if (client.state === "live") {
        quietly(ask(client, `leave "${channel}" alone`, { t: "presence.unwatch", c: channel }));
      }
    },
  };
  return result;
}

function presentOf<T>({ m, u, d }: PresentMember): Present<T> {
  // The wire carries JSON: that it is a T is the application's word.
  return { session: m, user: u, data: d as T };
}

/** For what goes on by itself: only the end of the client stops it, and that is told elsewhere. */
export function quietly(question: Promise<unknown>): void {
  question.catch((error: unknown) => {
    if (!isClientError(error)) throw error;
  });
}
