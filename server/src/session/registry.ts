// The connections of this pod, by session. Not here: what they do.

import type { SessionRow } from "../broker/port.ts";
import type { Connection } from "./connection.ts";

type Lost = { readonly row: SessionRow; readonly atMs: number };

export class Registry {
  /** All sockets, whatever their state. */
  readonly all = new Set<Connection>();
  /** Sockets that hold a session. */
  readonly sessions = new Map<string, Connection>();
  /** Second sockets of moves that are not committed. */
  readonly preparing = new Map<string, Connection>();
  /** Sessions that went on elsewhere and whose old socket is still open. */
  readonly leaving = new Set<Connection>();
  /** Sockets of the operator's synthetic client; in `all` too, and in nobody's numbers. */
  readonly probes = new Set<Connection>();
  #lost: Lost[] = [];

  /** The socket broke: the session can be resumed until its ttl has passed. */
  lose(row: SessionRow, atMs: number): void {
    this.#lost.push({ row, atMs });
  }

  /** Sessions lost before `beforeMs`, which are taken out. */
  takeExpired(beforeMs: number): readonly Lost[] {
    const count = this.#lost.findIndex((lost) => lost.atMs > beforeMs);
    return this.#lost.splice(0, count === -1 ? this.#lost.length : count);
  }

  /** Sessions by what their clients can do. */
  capabilities(): { readonly migrate: number; readonly resume: number; readonly plain: number } {
    const sessions = { migrate: 0, resume: 0, plain: 0 };
    for (const { caps } of this.sessions.values()) {
      if (caps.has("migrate")) sessions.migrate += 1;
      else if (caps.has("resume")) sessions.resume += 1;
      else sessions.plain += 1;
    }
    return sessions;
  }

  /** Sockets of users. */
  get userSockets(): number {
    return this.all.size - this.probes.size;
  }

  get isEmpty(): boolean {
    return this.sessions.size === 0 && this.leaving.size === 0;
  }
}
