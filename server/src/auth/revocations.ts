// Which tokens do not count any more: those of a user that were issued before a point in time. Kept in the store as cursors are, so who
// was away is refused when it comes back. Not here: closing sockets (app/orders.ts).

import type { Broker } from "../broker/port.ts";
import type { Authentication, Identity } from "./identity.ts";

/** One life, so that points in time only rise. */
const EPOCH = "ms";

export class Revocations {
  readonly #broker: Broker;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** Tokens of the user that were issued until then are refused. Rejects with `BrokerUnavailable`. */
  async revoke(tenant: string, user: string, atMs: number): Promise<void> {
    await this.#broker.cursors.advance(`${tenant}/~revoked`, user, { epoch: EPOCH, offset: atMs });
  }

  /** Rejects with `BrokerUnavailable`. */
  async isRevoked({ tenant, user, auth }: Identity): Promise<boolean> {
    if (!auth) return false;
    const revoked = await this.#broker.cursors.get(`${tenant}/~revoked`, user);
    return revoked !== undefined && auth.atMs <= revoked.offset;
  }
}

/** Name of the note in which a session carries along what its token said. */
export const AUTH_NOTE = "auth";

/** @param note text of the note. */
export function authOf(note: string): Authentication {
  return JSON.parse(note) as Authentication;
}
