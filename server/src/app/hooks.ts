// Where code of the application is asked, or told, about sessions. Not here: when (session/), asking over HTTP (web-hooks.ts).

import type { SessionHandle } from "./session-handle.ts";

/** Thrown by a hook: refuses what it was asked about; the client gets the message. Anything else that is thrown counts as a passing fault. */
export class HookRefusal extends Error {
  readonly code = "refused";
}

export type ProposedPublish = {
  readonly channel: string;
  readonly data: unknown;
  /** JSON text of `data`. */ readonly text: string;
};

export type Hooks = {
  /** A new session, before it is told `welcome`. Not on resumes and moves. */
  readonly connect?: (session: SessionHandle) => unknown;
  /** A session is over: its client ended it, or did not come back in time. Not on moves. */
  readonly disconnect?: (session: Omit<SessionHandle, "state" | "setState">) => unknown;
  readonly subscribe?: (session: SessionHandle, channel: string) => unknown;
  /** Before a publish of a client is stored: persist it in your own database here. A client that hears nothing sends it again, with the same `key`. */
  readonly beforePublish?: (session: SessionHandle, publish: ProposedPublish & { readonly key: string }) => unknown;
};

export type HookVerdict =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: "refused" | "unavailable"; readonly message: string };

/** How a question to the application ended. */
export async function verdictOf(ask: () => unknown, onFault: (error: unknown) => void): Promise<HookVerdict> {
  try {
    await ask();
    return { ok: true };
  } catch (error) {
    if (error instanceof HookRefusal) return { ok: false, code: "refused", message: error.message };
    onFault(error);
    return { ok: false, code: "unavailable", message: "The application did not answer." };
  }
}
