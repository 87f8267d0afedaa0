// What code of the application sees of a session. Not here: the connection.

import { WIRE_DEFAULTS } from "@wscluster/protocol";
import type { Connection } from "../session/connection.ts";
import { stateTextOf, storeState } from "../session/notes.ts";

export type SessionHandle = {
  readonly id: string;
  readonly user: string;
  readonly tenant: string;
  readonly device: string;
  /** What the application keeps with the session; `undefined` = nothing. */
  state(): unknown;
  /** Rejects when it is larger than 4 KiB, the session lives elsewhere by now, or the store does not answer. */
  setState(value: unknown): Promise<void>;
};

/** The connection must have a session. */
export function handleOf(connection: Connection): SessionHandle {
  const { id = "", user = "", tenant = "", device = "" } = connection.row ?? {};
  return {
    id,
    user,
    tenant,
    device,
    state() {
      const text = connection.row && stateTextOf(connection.row);
      return text === undefined ? undefined : (JSON.parse(text) as unknown);
    },
    async setState(value) {
      const result = await storeState(connection, JSON.stringify(value ?? null));
      if (result === "stored") return;
      const why =
        result === "fenced"
          ? "it lives on another pod by now"
          : `it is larger than ${WIRE_DEFAULTS.maxStateBytes} bytes`;
      throw new Error(`cannot keep the state of session ${id}: ${why}`);
    },
  };
}
