// Tokens that end while their session lives: told in time, renewed by `refresh` or with a resume, else the connection ends. Not here:
// checking tokens.

import type { ClientFrame, HelloFrame } from "@wscluster/protocol";
import type { SessionRow } from "../broker/port.ts";
import { detach } from "../session/channels.ts";
import type { Connection } from "../session/connection.ts";
import type { SessionContext } from "../session/context.ts";
import { withNote } from "../session/notes.ts";
import type { Identity } from "./identity.ts";
import { AUTH_NOTE, authOf } from "./revocations.ts";

/** A token's end is told this long before, or a tenth of its life if that is shorter. */
const AHEAD_MS = 60_000;
/** Clocks differ: a token is borne this long after its end. */
const TOLERANCE_MS = 5_000;
/** Who resumes with an ended token may ask for a new one first. */
const GRACE_MS = 15_000;

type RefreshFrame = Extract<ClientFrame, { readonly t: "refresh" }>;

/** Rejects with `BrokerUnavailable`. */
export async function answerRefresh(connection: Connection, { i, token }: RefreshFrame): Promise<void> {
  const { context, row } = connection;
  if (!row) return;
  const result = await context.identify({ token });
  if (!result.ok)
    return connection.fail(result.isTransient ? "unavailable" : "forbidden", i, { message: result.message });
  const { identity } = result;
  if (identity.user !== row.user || identity.tenant !== row.tenant) {
    return connection.fail("forbidden", i, { message: "The token is another user's." });
  }
  if (await context.revocations.isRevoked(identity)) {
    return connection.fail("forbidden", i, { message: "The token was revoked." });
  }
  const note = identity.auth && JSON.stringify(identity.auth);
  if (!(await context.broker.note(row.id, row.g, AUTH_NOTE, note))) return connection.fail("fenced", i);
  connection.row = withNote(connection.row ?? row, AUTH_NOTE, note);
  connection.askedToRefresh = false;
  connection.graceUntilMs = 0;
  const { expiresAtMs } = identity.auth ?? {};
  const inMs = expiresAtMs === undefined ? {} : { inMs: Math.max(0, expiresAtMs - context.now()) };
  connection.send({ t: "refresh.ok", i, ...inMs });
  await dropForbidden(connection);
}

/** Ends subscriptions that what the token says now does not allow. Rejects with `BrokerUnavailable`. */
async function dropForbidden(connection: Connection): Promise<void> {
  const { row, context } = connection;
  const gone = [...connection.subscriptions.keys()].filter((channel) => !connection.permits("subscribe", channel));
  if (gone.length === 0 || !row) return;
  for (const channel of gone) {
    detach(connection, channel);
    connection.send({
      t: "unsubscribed",
      c: channel,
      why: "The permissions of this identity do not allow it any more.",
    });
  }
  if (connection.isStored) await context.broker.changeChannels(row.id, row.g, [], gone);
}

/** The row with what a newer token of the same user says, where the one that it has ends: a resume asks nobody otherwise. */
export async function renewed(context: SessionContext, hello: HelloFrame, row: SessionRow): Promise<SessionRow> {
  const note = row.notes?.[AUTH_NOTE];
  if (note === undefined || hello.token === undefined) return row;
  const { expiresAtMs = Infinity } = authOf(note);
  if (expiresAtMs > context.now() + AHEAD_MS) return row;
  const result = await context.identify({ token: hello.token });
  const isSame = result.ok && result.identity.user === row.user && result.identity.tenant === row.tenant;
  if (!isSame || !result.identity.auth) return row;
  const text = JSON.stringify(result.identity.auth);
  await context.broker.note(row.id, row.g, AUTH_NOTE, text);
  return withNote(row, AUTH_NOTE, text);
}

/** False when the user's tokens up to this one were revoked while the session slept. Rejects with `BrokerUnavailable`. */
export async function isStillWelcome(context: SessionContext, { user, tenant, notes }: SessionRow): Promise<boolean> {
  const note = notes?.[AUTH_NOTE];
  if (note === undefined) return true;
  const identity: Identity = { user, tenant, auth: authOf(note) };
  return !(await context.revocations.isRevoked(identity));
}

/** Once a second. */
export function tendTokens({ registry, now, log }: SessionContext): void {
  const nowMs = now();
  for (const connection of registry.sessions.values()) {
    const { auth } = connection;
    if (!auth) continue;
    if (auth.grants?.some(({ endsAtMs }) => endsAtMs !== undefined && endsAtMs <= nowMs)) {
      dropForbidden(connection).catch((error: unknown) => log.debug({ err: error }, "cannot note ended subscriptions"));
    }
    if (auth.expiresAtMs === undefined) continue;
    const leftMs = auth.expiresAtMs - nowMs;
    if (leftMs <= -TOLERANCE_MS && connection.graceUntilMs === 0) {
      // It just resumed, or its clock is not ours: one chance.
      connection.graceUntilMs = connection.askedToRefresh ? nowMs : nowMs + GRACE_MS;
    }
    if (leftMs <= -TOLERANCE_MS && nowMs >= connection.graceUntilMs) connection.end("unauthorized");
    else if (!connection.askedToRefresh && leftMs <= Math.min(AHEAD_MS, (auth.expiresAtMs - auth.atMs) / 10)) {
      connection.askedToRefresh = true;
      connection.send({ t: "refresh.needed", inMs: Math.max(0, leftMs) });
    }
  }
}
