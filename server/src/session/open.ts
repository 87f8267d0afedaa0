// What a `hello` leads to: a new session, a take-over, or the first phase of a move. Not here: frames after it (connection.ts).

import { WIRE_DEFAULTS } from "@wscluster/protocol";
import type { HelloFrame, Position, Ticket } from "@wscluster/protocol";
import { verdictOf } from "../app/hooks.ts";
import { handleOf } from "../app/session-handle.ts";
import { identityNotes } from "../auth/identity-notes.ts";
import { isStillWelcome, renewed } from "../auth/refresh.ts";
import { LEASE_MS } from "../broker/port.ts";
import type { LoadedSession, ReceiptOf, SessionRow } from "../broker/port.ts";
import type { Connection } from "./connection.ts";
import type { SessionContext } from "./context.ts";
import { isReadable } from "./channel-names.ts";
import { attach, maySubscribe } from "./channels.ts";
import { isSecretOf, newSecret, newSessionId, secretDigest } from "./secret.ts";

/** How long a prepared move waits for its commit. */
const PENDING_MS = 30_000;
const TAKE_OVER_ATTEMPTS = 3;
/** After this time another session may have ended. */
const QUOTA_RETRY_MS = 30_000;

type Resume = NonNullable<HelloFrame["resume"]>;

export async function openConnection(connection: Connection, hello: HelloFrame): Promise<void> {
  const { resume } = hello;
  if (!resume) return openNew(connection, hello);
  if (hello.prepare) return prepareMove(connection, hello, resume);
  const taken = await takeOver(connection.context, hello, resume);
  if (taken === undefined) connection.context.metrics.add("wscluster_failed_resumes_total", 1, { kind: "resume" });
  if (taken === undefined || taken === "elsewhere") return openNew(connection, hello);
  await begin(connection, hello, taken, { resumed: true, prepared: false });
}

/** A row of this session that the secret opens, with the liveness rule applied. Resuming asks no auth backend. */
async function loadOwn(context: SessionContext, resume: Resume): Promise<LoadedSession | undefined> {
  const loaded = await context.broker.loadSession(resume.session);
  if (!loaded || !isSecretOf(loaded.row.digest, resume.secret)) return undefined;
  return loaded;
}

/** The owner pod's lease lives, or died less than the session's ttl ago: nothing has to be refreshed per session. Pure. */
export function isResumable(loaded: LoadedSession, podKey: string, sessionTtlMs: number): boolean {
  if (loaded.row.owner === podKey) return true;
  return loaded.ownerSilentMs !== undefined && loaded.ownerSilentMs <= sessionTtlMs + LEASE_MS;
}

async function takeOver(
  context: SessionContext,
  hello: HelloFrame,
  resume: Resume,
): Promise<SessionRow | "elsewhere" | undefined> {
  for (let attempt = 0; attempt < TAKE_OVER_ATTEMPTS; attempt += 1) {
    const loaded = await loadOwn(context, resume);
    if (!loaded || !isResumable(loaded, context.podKey, context.settings().sessionTtlMs)) return undefined;
    const { row } = loaded;
    const { instance } = hello;
    if (await isElsewhere(context, loaded, instance)) return "elsewhere";
    if (!(await isStillWelcome(context, row))) return undefined;
    const receipt = receiptOf(context, hello.ticket, row);
    const g = await context.broker.takeOver(row.id, row.g, context.podKey, receipt, instance);
    if (g === undefined) continue;
    const taken = { ...row, g, owner: context.podKey, ...(instance === undefined ? {} : { instance }) };
    return renewed(context, hello, taken);
  }
  return undefined;
}

/** A copied page has the session's secret too: while the original is in use, the copy gets a session of its own, not a fight. */
async function isElsewhere(
  context: SessionContext,
  { row, ownerSilentMs }: LoadedSession,
  instance: string | undefined,
): Promise<boolean> {
  if (instance === undefined || row.instance === undefined || row.instance === instance) return false;
  const isOwnerAlive = row.owner === context.podKey || (ownerSilentMs ?? Infinity) <= LEASE_MS;
  return isOwnerAlive && (await context.control.isLive(row));
}

function receiptOf(context: SessionContext, text: string | undefined, row: SessionRow): ReceiptOf | undefined {
  const ticket = text === undefined ? undefined : context.checkTicket(text);
  // A ticket of an earlier generation was settled by whatever raised the generation.
  if (ticket?.session !== row.id || ticket.g !== row.g) return undefined;
  return { intent: ticket.intent, source: ticket.from };
}

async function openNew(connection: Connection, hello: HelloFrame): Promise<void> {
  const { context } = connection;
  const token = hello.token ?? connection.socket.arrival.token;
  const result = await context.identify({ ...hello, ...(token === undefined ? {} : { token }) });
  if (!result.ok) {
    connection.fail(result.isTransient ? "unavailable" : "forbidden", undefined, { message: result.message });
    connection.end(result.isTransient ? "backoff" : "unauthorized");
    return;
  }
  if (await context.revocations.isRevoked(result.identity)) {
    connection.fail("forbidden", undefined, { message: "The token was revoked." });
    connection.end("unauthorized");
    return;
  }
  if (context.limits?.admitsSession(connection.holder(result.identity)) === false) {
    connection.fail("rate-limited", undefined, {
      message: "The user, the tenant or the address holds as many sessions as it may.",
      afterMs: QUOTA_RETRY_MS,
    });
    connection.end("quotaExceeded");
    return;
  }
  const secret = newSecret();
  const row: SessionRow = {
    id: newSessionId(),
    user: result.identity.user,
    tenant: result.identity.tenant,
    ...identityNotes(result.identity),
    device: hello.device?.slice(0, 128) ?? "",
    ...(hello.instance === undefined ? {} : { instance: hello.instance }),
    g: 1,
    owner: context.podKey,
    digest: secretDigest(secret),
    channels: [...new Set(wanted(hello, []).map(([channel]) => channel))],
  };
  await context.broker.createSession(row);
  if (!(await isLetIn(connection, row))) return;
  await begin(connection, hello, connection.row ?? row, { resumed: false, prepared: false, secret });
}

/** Asks the application about a new session, if it wants to be asked. False: the client was told. */
export async function isLetIn(connection: Connection, row: SessionRow): Promise<boolean> {
  const { hooks, log, broker } = connection.context;
  connection.row = row;
  if (!hooks.connect) return true;
  const onFault = (error: unknown) => log.warn({ err: error, user: row.user }, "the hook connect failed");
  const verdict = await verdictOf(() => hooks.connect?.(handleOf(connection)), onFault);
  if (verdict.ok) return true;
  if (connection.isStored) await broker.endSession(row.id, row.g);
  connection.row = undefined;
  connection.fail(verdict.code, undefined, { message: verdict.message });
  connection.end(verdict.code === "refused" ? "forbidden" : "backoff");
  return false;
}

async function prepareMove(connection: Connection, hello: HelloFrame, resume: Resume): Promise<void> {
  const { context } = connection;
  const ticket = hello.ticket === undefined ? undefined : context.checkTicket(hello.ticket);
  const row = (await loadOwn(context, resume))?.row;
  const fits = row && isFor(ticket, context.podKey, row);
  if (!fits || !(await context.broker.prepare(row.id, row.g, context.podKey, PENDING_MS))) {
    context.metrics.add("wscluster_failed_resumes_total", 1, { kind: "move" });
    connection.fail("commit-refused", undefined, { message: "The ticket does not fit the session any more." });
    connection.end("backoff");
    return;
  }
  connection.ticket = ticket;
  await begin(connection, hello, row, { resumed: true, prepared: true });
}

function isFor(ticket: Ticket | undefined, podKey: string, row: SessionRow): boolean {
  return ticket !== undefined && ticket.session === row.id && ticket.to === podKey && ticket.g === row.g;
}

type Beginning = { readonly resumed: boolean; readonly prepared: boolean; readonly secret?: string };

async function begin(connection: Connection, hello: HelloFrame, row: SessionRow, how: Beginning): Promise<void> {
  const { context } = connection;
  connection.row = row;
  if (connection.hasClosed()) {
    // The session exists and nobody holds it: its ttl runs from here.
    if (!how.prepared) context.registry.lose(row, context.now());
    return;
  }
  if (how.prepared) {
    context.registry.preparing.get(row.id)?.end("backoff");
    context.registry.preparing.set(row.id, connection);
  } else {
    connection.hold();
    context.metrics.add("wscluster_resumes_total", 1, { way: how.resumed ? "resumed" : "new" });
  }
  const { sessionTtlMs, heartbeatMs } = context.settings();
  connection.send({
    t: "welcome",
    session: row.id,
    ...(how.secret === undefined ? {} : { secret: how.secret }),
    g: row.g,
    user: row.user,
    tenant: row.tenant,
    pod: context.podKey,
    resumed: how.resumed && !how.prepared,
    prepared: how.prepared,
    ttlMs: sessionTtlMs,
    heartbeatMs,
    maxPayloadBytes: WIRE_DEFAULTS.maxPayloadBytes,
  });
  const pace = how.prepared ? undefined : context.pace();
  if (pace) connection.send({ t: "pace", ...pace });
  const allowed = wanted(hello, how.resumed ? row.channels : []).filter(([channel]) =>
    connection.permits("subscribe", channel),
  );
  // What a session has was asked about when it came.
  const known = how.resumed ? row.channels : [];
  const verdicts = await Promise.all(
    allowed.map(async ([channel]) => known.includes(channel) || (await maySubscribe(connection, channel)).ok),
  );
  const subscriptions = allowed.filter((_, at) => verdicts[at]);
  const added = subscriptions.map(([channel]) => channel).filter((channel) => !row.channels.includes(channel));
  connection.opened(how.prepared ? "prepared" : "ready");
  if (added.length > 0 && !how.prepared) await context.broker.changeChannels(row.id, row.g, added, []);
  await restore(connection, subscriptions);
}

/** Channels to subscribe, with their positions: those of `pos` and `sub`, and the session's others from the top. */
function wanted(hello: HelloFrame, channels: readonly string[]): readonly (readonly [string, Position | undefined])[] {
  const positions = new Map<string, Position | undefined>();
  for (const channel of channels) positions.set(channel, undefined);
  for (const [channel, epoch, offset] of hello.resume?.pos ?? []) positions.set(channel, { epoch, offset });
  for (const { c, from } of hello.sub ?? []) if (!positions.get(c)) positions.set(c, from);
  return [...positions].filter(([channel]) => isReadable(channel)).slice(0, WIRE_DEFAULTS.maxSubscriptions);
}

/** Subscribes all and says `ready` once each has been sent up to its top. */
async function restore(
  connection: Connection,
  subscriptions: readonly (readonly [string, Position | undefined])[],
): Promise<void> {
  let missing = subscriptions.length;
  const oneLive = () => {
    missing -= 1;
    if (missing === 0) connection.send({ t: "ready" });
  };
  if (missing === 0) connection.send({ t: "ready" });
  await Promise.all(subscriptions.map(([channel, from]) => attach(connection, 0, channel, from, oneLive)));
}
