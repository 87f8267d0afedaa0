// The name of a pod on the wire.

/**
 * KEY of a pod: opaque to clients, lives as long as the pod, the same wherever it is derived (operator, edge agent, server).
 * The first 16 hexadecimal digits of the uid: 64 random bits less the version digit.
 */
export function podKey(uid: string): string {
  return uid.replaceAll("-", "").slice(0, 16);
}

/** Header in which the edge tells a pod which KEY it meant; a pod that is not it answers 421. */
export const POD_HEADER = "x-wscluster-pod";
/** Header with the edge pod's KEY. */
export const EDGE_HEADER = "x-wscluster-edge";
/** Query parameters of a named arrival. */
export const NAMED_ARRIVAL = { pod: "pod", ticket: "ticket" } as const;
