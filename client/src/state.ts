// Small things that the application keeps with its session. Not here: who else sees something (presence.ts).

import type { Client } from "./client.ts";
import { quietly } from "./presence.ts";
import { ask } from "./service.ts";

export interface SessionState<T = unknown> {
  /** What the server keeps; `undefined` = nothing. Rejects with `refused`, `closed`, `given-up`. */
  get(): Promise<T | undefined>;
  /** At most 4 KiB as JSON. Resolves once it is stored. Rejects as `get` does. */
  set(data: T): Promise<void>;
  clear(): Promise<void>;
  /** It is not set again any more. */
  stop(): void;
}

/**
 * State that travels with the session through breaks and moves, and that the server's handlers see. What was set by this client is set
 * again when its session had to be made anew.
 */
export function sessionState<T = unknown>(client: Client): SessionState<T> {
  let wanted: { readonly d: unknown } | undefined;
  const store = async (d: unknown): Promise<void> => {
    wanted = { d };
    await ask(client, "keep the state", { t: "state.set", d });
  };
  const stop = client.on("welcome", ({ resumed, prepared }) => {
    if (!resumed && !prepared && wanted) quietly(store(wanted.d));
  });
  return {
    async get() {
      const answer = await ask(client, "read the state", { t: "state.get" });
      // The wire carries JSON: that it is a T is the application's word.
      return answer.t === "state.ok" ? (answer.d as T | undefined) : undefined;
    },
    set: store,
    clear: () => store(null),
    stop,
  };
}
