// Whether an upgrade is taken, and else with which HTTP status it is refused. Pure. Not here: the sockets.

import { SUBPROTOCOL } from "@wscluster/protocol";
import type { Ticket } from "@wscluster/protocol";
import type { UpgradeErrorCode } from "./errors.ts";

export type ArrivalFacts = {
  readonly path: string;
  readonly wantedPath: string;
  /** `Sec-WebSocket-Version`. */
  readonly version: string | undefined;
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
  /** The operator's synthetic client: false = its header is not valid; absent = it is none. */
  readonly probe?: boolean | undefined;
  readonly podKey: string;
  readonly sockets: number;
  readonly capacity: number;
  /** The client's address holds all the sockets that it may. */
  readonly addressIsFull: boolean;
  readonly stopping: boolean;
};

export type Admission =
  | { readonly take: true; readonly named: boolean; readonly plain: boolean }
  | { readonly take: false; readonly code: UpgradeErrorCode };

/** Share of the capacity above it that only ticketed arrivals may use. */
export const TICKET_RESERVE = 0.1;

export function admissionOf(facts: ArrivalFacts): Admission {
  if (facts.path !== facts.wantedPath) return refused("no-such-path");
  if (facts.version !== "13") return refused("upgrade-needed");
  const plain = facts.protocols.length === 0;
  if (!plain && !facts.protocols.includes(SUBPROTOCOL)) return refused("wrong-subprotocol");
  if (facts.probe !== undefined) return facts.probe ? probeAdmission(facts, plain) : refused("wrong-probe");
  if (facts.allowedOrigins.length > 0 && !facts.allowedOrigins.includes(facts.origin ?? "")) {
    return refused("wrong-origin");
  }
  if (facts.podHeader !== undefined && facts.podHeader !== facts.podKey) return refused("wrong-pod");
  const named = facts.podParameter !== undefined;
  if (named) {
    if (facts.ticket?.to !== facts.podParameter) return refused("wrong-ticket");
    if (facts.podParameter !== facts.podKey) return refused("wrong-pod");
  }
  if (facts.stopping) return refused("stopping");
  // The others may wait for a slot: lobby.ts.
  if (named && facts.sockets >= Math.ceil(facts.capacity * (1 + TICKET_RESERVE))) return refused("full");
  // Whoever moves was let in before.
  if (facts.addressIsFull && !named) return refused("too-many-connections");
  return { take: true, named, plain };
}

/** Neither limits nor origins are for it: it asks whether the pod serves, and a pod that is full does. */
function probeAdmission(facts: ArrivalFacts, plain: boolean): Admission {
  if (facts.podHeader !== undefined && facts.podHeader !== facts.podKey) return refused("wrong-pod");
  return facts.stopping ? refused("stopping") : { take: true, named: false, plain };
}

function refused(code: UpgradeErrorCode): Admission {
  return { take: false, code };
}
