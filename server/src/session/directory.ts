// The connections of one user on all pods of the cluster, as they are now. Not here: the sessions themselves (broker/).

import { LEASE_MS } from "../broker/port.ts";
import type { Broker } from "../broker/port.ts";
import type { Control } from "./control.ts";

export type ConnectionEntry = {
  readonly session: string;
  readonly device: string;
  /** KEY of the pod that holds it. */
  readonly pod: string;
};

/**
 * Asks the store for the user's sessions and their pods whether the socket is in use: a pod that died, or does not answer within half a
 * second, has none. Newest session first. Rejects with `BrokerUnavailable`.
 */
export async function connectionsOf(
  { broker, control, podKey }: { readonly broker: Broker; readonly control: Control; readonly podKey: string },
  tenant: string,
  user: string,
): Promise<readonly ConnectionEntry[]> {
  const sessions = await broker.sessionsOf(tenant, user);
  const asked = sessions.map(async ({ row, ownerSilentMs }) => {
    const isOwnerAlive = row.owner === podKey || (ownerSilentMs ?? Infinity) <= LEASE_MS;
    const isLive = isOwnerAlive && (await control.isLive(row));
    return isLive ? [{ session: row.id, device: row.device, pod: row.owner }] : [];
  });
  return (await Promise.all(asked)).flat();
}
