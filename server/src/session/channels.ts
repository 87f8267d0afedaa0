// The channels of one connection: in, out, and what a move brought along. Not here: fan-out (hub/), who may (auth/permissions.ts).

import { WIRE_DEFAULTS } from "@wscluster/protocol";
import type { Position } from "@wscluster/protocol";
import { verdictOf } from "../app/hooks.ts";
import type { HookVerdict } from "../app/hooks.ts";
import { handleOf } from "../app/session-handle.ts";
import { BrokerUnavailable } from "../broker/port.ts";
import type { ChannelChanges } from "./channel-changes.ts";
import { streamOf } from "./channel-names.ts";
import type { Connection } from "./connection.ts";

export async function subscribe(
  connection: Connection,
  i: number,
  channel: string,
  from: Position | undefined,
): Promise<void> {
  const { row, context, subscriptions, turns } = connection;
  if (!row || connection.state !== "ready") return;
  const others = subscriptions.size + turns.size - (subscriptions.has(channel) ? 1 : 0);
  if (others > WIRE_DEFAULTS.maxSubscriptions || context.limits?.admitsSubscription(others) === false) {
    return connection.fail("too-many-subscriptions", i);
  }
  const verdict = await maySubscribe(connection, channel);
  if (!verdict.ok) return connection.fail(verdict.code, i, { message: verdict.message });
  try {
    if (!(await context.broker.changeChannels(row.id, row.g, [channel], []))) return connection.fail("fenced", i);
    await attach(connection, i, channel, from);
  } catch (error) {
    if (!(error instanceof BrokerUnavailable)) throw error;
    connection.fail("unavailable", i);
  }
}

/** Asks the application, if it wants to be asked. */
export async function maySubscribe(connection: Connection, channel: string): Promise<HookVerdict> {
  const { hooks, log } = connection.context;
  if (!hooks.subscribe) return { ok: true };
  const onFault = (error: unknown) => log.warn({ err: error, channel }, "the hook subscribe failed");
  return verdictOf(() => hooks.subscribe?.(handleOf(connection), channel), onFault);
}

/** Adds the subscription on this pod and answers `sub.ok`; the session row is the caller's business. */
export async function attach(
  connection: Connection,
  i: number,
  channel: string,
  from: Position | undefined,
  onLive?: () => void,
): Promise<void> {
  const { row, context, subscriptions } = connection;
  if (!row) return;
  const former = subscriptions.get(channel);
  if (former) context.hub.detach(former);
  const subscription = await context.hub.attach(
    connection.subscriber,
    streamOf(row, channel),
    channel,
    from,
    ({ epoch, top, recovered }) => connection.send({ t: "sub.ok", i, c: channel, e: epoch, o: top, recovered }),
    onLive,
  );
  const other = subscriptions.get(channel);
  if (other) context.hub.detach(other);
  if (connection.isServing()) subscriptions.set(channel, subscription);
  else context.hub.detach(subscription);
}

export async function unsubscribe(connection: Connection, i: number, channel: string): Promise<void> {
  const { row, context } = connection;
  if (!row || connection.hasClosed()) return;
  try {
    if (!(await context.broker.changeChannels(row.id, row.g, [], [channel]))) return connection.fail("fenced", i);
  } catch (error) {
    if (!(error instanceof BrokerUnavailable)) throw error;
    return connection.fail("unavailable", i);
  }
  detach(connection, channel);
  connection.send({ t: "unsub.ok", i, c: channel });
}

export function detach({ subscriptions, context }: Connection, channel: string): void {
  const subscription = subscriptions.get(channel);
  subscriptions.delete(channel);
  if (subscription) context.hub.detach(subscription);
}

/** What the client subscribed to, or left, on the old socket while this one was prepared. From the top: the old one has sent the rest. */
export async function followChannels(connection: Connection, { added, ended }: ChannelChanges): Promise<void> {
  for (const channel of ended) detach(connection, channel);
  // A store that is away now must not undo a commit that it has made: the client asks for what it misses.
  await Promise.all(added.map((channel) => attach(connection, 0, channel, undefined).catch(() => {})));
}
