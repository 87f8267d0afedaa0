// What the pod's sessions amount to by partition of their routing key. Levels are summed when somebody asks; of sessions that are gone
// only their messages are kept. Not here: choosing whom to move (drain/candidates.ts).

import { PARTITIONS } from "@wscluster/protocol";
import type { PartitionTable } from "@wscluster/protocol";
import type { Place } from "../auth/placement.ts";

export type Placed = {
  readonly place: Place;
  /** Messages from the client. */
  readonly received: number;
  readonly subscriber: { readonly deliveries: number };
};

export class PartitionCounts {
  readonly #gone = emptyTable();

  /** The session left this pod with these totals. */
  left({ place, received, subscriber }: Placed): void {
    add(this.#gone, place.partition, received + subscriber.deliveries);
  }

  table(sessions: Iterable<Placed>): PartitionTable {
    const [connections, weights, messages] = [emptyTable(), emptyTable(), [...this.#gone]];
    for (const { place, received, subscriber } of sessions) {
      add(connections, place.partition, 1);
      add(weights, place.partition, place.weight);
      add(messages, place.partition, received + subscriber.deliveries);
    }
    return { connections, weights, messages };
  }
}

function emptyTable(): number[] {
  return Array.from({ length: PARTITIONS }, () => 0);
}

function add(table: number[], partition: number, amount: number): void {
  table[partition] = (table[partition] ?? 0) + amount;
}
