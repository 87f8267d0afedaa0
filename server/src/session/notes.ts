// Small things that a session carries along, by name: presences (presence/) and the application's state. Not here: storing them.

import { WIRE_DEFAULTS } from "@wscluster/protocol";
import type { ClientFrame } from "@wscluster/protocol";
import type { SessionRow } from "../broker/port.ts";
import { textFrame } from "../transport/wire-frame.ts";
import type { Connection } from "./connection.ts";

export type StateFrame = Extract<ClientFrame, { readonly t: `state.${string}` }>;

/** Name of the note that holds the application's state. */
const STATE = "state";

export function withNote(row: SessionRow, name: string, value: string | undefined): SessionRow {
  const { notes = {}, ...rest } = row;
  const kept = Object.entries(notes).filter(([known]) => known !== name);
  if (value !== undefined) kept.push([name, value]);
  return kept.length > 0 ? { ...rest, notes: Object.fromEntries(kept) } : rest;
}

/** JSON text of the application's state; `undefined` = there is none. */
export function stateTextOf(row: SessionRow): string | undefined {
  return row.notes?.[STATE];
}

export type StateResult = "stored" | "too-large" | "fenced";

/** @param text JSON; `null` removes the state. Rejects with `BrokerUnavailable`. */
export async function storeState(connection: Connection, text: string): Promise<StateResult> {
  const { row, context } = connection;
  if (!row) return "fenced";
  if (Buffer.byteLength(text) > WIRE_DEFAULTS.maxStateBytes) return "too-large";
  const value = text === "null" ? undefined : text;
  if (connection.isStored && !(await context.broker.note(row.id, row.g, STATE, value))) return "fenced";
  connection.row = withNote(connection.row ?? row, STATE, value);
  return "stored";
}

/** Rejects with `BrokerUnavailable`. */
export async function answerState(connection: Connection, frame: StateFrame, data: string): Promise<void> {
  if (frame.t === "state.set") {
    const result = await storeState(connection, data);
    if (result === "stored") connection.send({ t: "state.ok", i: frame.i });
    else connection.fail(result, frame.i);
    return;
  }
  const text = connection.row && stateTextOf(connection.row);
  const value = text === undefined ? "" : `,"d":${text}`;
  connection.socket.push(textFrame(`{"t":"state.ok","i":${frame.i}${value}}`));
}
