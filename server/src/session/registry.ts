// The connections of this pod, by session. Not here: what they do.

import type { PartitionTable } from "@wscluster/protocol";
import type { SessionRow } from "../broker/port.ts";
import { PartitionCounts } from "../telemetry/partitions.ts";
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
  readonly #counts = new PartitionCounts();
  #extraWeight = 0;
  #lost: Lost[] = [];

  /** This connection holds the session from now on. The one that did before. */
  hold(id: string, connection: Connection): Connection | undefined {
    const former = this.sessions.get(id);
    if (former === connection) return former;
    if (former) this.#left(former);
    this.sessions.set(id, connection);
    this.#extraWeight += connection.place.weight - 1;
    return former;
  }

  /** True if the connection held the session; now nobody of this pod does. */
  release(id: string, connection: Connection): boolean {
    if (this.sessions.get(id) !== connection) return false;
    this.sessions.delete(id);
    this.#left(connection);
    return true;
  }

  #left(connection: Connection): void {
    this.#counts.left(connection);
    this.#extraWeight -= connection.place.weight - 1;
  }

  partitions(): PartitionTable {
    return this.#counts.table(this.sessions.values());
  }

  /** Sessions, each by the weight of its user. */
  get weight(): number {
    return this.sessions.size + this.#extraWeight;
  }

  /** Of the pod's capacity in use: sockets of users, those with a session by weight. */
  get slots(): number {
    return this.userSockets + this.#extraWeight;
  }

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
