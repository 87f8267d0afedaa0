// Whether an upgrade is taken, and else with which HTTP status it is refused. Pure. Not here: the sockets.

import { POD_HEADER, SUBPROTOCOL } from "@wscluster/protocol";
import type { Ticket } from "@wscluster/protocol";

export type ArrivalFacts = {
  readonly path: string;
  readonly wantedPath: string;
  /** Subprotocols that the client offers; none = a plain client. */
  readonly protocols: readonly string[];
  readonly origin: string | undefined;
  /** Empty = all. */
  readonly allowedOrigins: readonly string[];
  /** Header in which the edge names the pod that it meant. */
  readonly podHeader: string | undefined;
  /** `?pod=`. */
  readonly podParameter: string | undefined;
  /** `?ticket=` after its signature was checked. */
  readonly ticket: Ticket | undefined;
  readonly podKey: string;
  readonly sockets: number;
  readonly capacity: number;
  readonly stopping: boolean;
};

export type Admission =
  | { readonly take: true; readonly named: boolean; readonly plain: boolean }
  | { readonly take: false; readonly status: number; readonly message: string; readonly retryAfterSeconds?: number };

/** Share of the capacity above it that only ticketed arrivals may use. */
export const TICKET_RESERVE = 0.1;

export function admissionOf(facts: ArrivalFacts): Admission {
  if (facts.path !== facts.wantedPath) return { take: false, status: 404, message: "no such path" };
  const plain = facts.protocols.length === 0;
  if (!plain && !facts.protocols.includes(SUBPROTOCOL)) {
    return { take: false, status: 400, message: `the subprotocol ${SUBPROTOCOL} is needed, or none` };
  }
  if (facts.allowedOrigins.length > 0 && !facts.allowedOrigins.includes(facts.origin ?? "")) {
    return { take: false, status: 403, message: "this origin is not allowed" };
  }
  if (facts.podHeader !== undefined && facts.podHeader !== facts.podKey) {
    return { take: false, status: 421, message: `this pod is not the one in ${POD_HEADER}` };
  }
  const named = facts.podParameter !== undefined;
  if (named) {
    if (facts.ticket?.to !== facts.podParameter)
      return { take: false, status: 403, message: "the ticket is not valid" };
    if (facts.podParameter !== facts.podKey)
      return { take: false, status: 421, message: "this pod is not the named one" };
  }
  if (facts.stopping) return { take: false, status: 503, message: "the server is stopping", retryAfterSeconds: 1 };
  const limit = named ? Math.ceil(facts.capacity * (1 + TICKET_RESERVE)) : facts.capacity;
  if (facts.sockets >= limit) {
    return { take: false, status: 503, message: "no connection slot is free", retryAfterSeconds: 5 };
  }
  return { take: true, named, plain };
}
