// A pod's share of looking after presence, once a second. Not here: how (presence.ts).

import { BrokerUnavailable, LEASE_MS } from "../broker/port.ts";
import type { PodEntry } from "../broker/port.ts";
import type { SessionContext } from "../session/context.ts";
import { isResumable } from "../session/open.ts";

/** @param random in [0, 1): pods take turns by it, about one look per second in the whole fleet. */
export async function tendPresence(context: SessionContext, pods: readonly PodEntry[], random: number): Promise<void> {
  const { presence, broker, podKey, settings } = context;
  presence.retry();
  const dead = pods.filter(({ silentMs, gone }) => gone || silentMs > LEASE_MS).length;
  if (dead === 0 || random * Math.max(1, pods.length - dead) >= 1) return;
  try {
    await presence.reap(pods, async (session) => {
      const loaded = await broker.loadSession(session);
      return !loaded || !isResumable(loaded, podKey, settings().sessionTtlMs);
    });
  } catch (error) {
    if (!(error instanceof BrokerUnavailable)) throw error;
  }
}
