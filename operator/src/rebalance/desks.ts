// The planner's working copy of the fleet: loads that change while it plans, what was moved so far, and who is emptiest now.
// Not here: what is to be moved (planner.ts).
import type { PlanPod, Taking } from "./plan-facts.ts";

export type DeskSlice = { readonly partition: number | undefined; readonly weight: number; left: number };

export class Desk {
  readonly pod: PlanPod;
  /** Place in the order of keys. */
  readonly index: number;
  load: number;
  room: number;
  readonly #taking: Taking;
  #slices: readonly DeskSlice[] | undefined;

  constructor(pod: PlanPod, index: number, taking: Taking) {
    this.pod = pod;
    this.index = index;
    this.#taking = taking;
    this.load = pod.load;
    this.room = Math.max(0, Math.floor(pod.room));
  }

  /** In the order in which they are taken; of equals the largest slice: the fewest grants. Most pods are never asked. */
  get slices(): readonly DeskSlice[] {
    this.#slices ??= this.pod.slices
      .filter((slice) => slice.connections > 0 && slice.load > 0)
      .map(({ partition, connections, load }) => ({ partition, weight: load / connections, left: connections }))
      .toSorted(
        (a, b) =>
          byTaking(a.weight, b.weight, this.#taking) || b.left - a.left || (a.partition ?? -1) - (b.partition ?? -1),
      );
    return this.#slices;
  }
}

export type Placed = { readonly from: Desk; readonly to: Desk; readonly partition: number | undefined; count: number };

export class Ledger {
  /** Connections that may still be moved. */
  left: number;
  readonly #pods: number;
  readonly #placed = new Map<number, Placed>();

  constructor(pods: number, maxMoves: number) {
    this.#pods = pods;
    this.left = maxMoves;
  }

  place(from: Desk, to: Desk, slice: DeskSlice, count: number): void {
    slice.left -= count;
    from.load -= count * slice.weight;
    to.load += count * slice.weight;
    to.room -= count;
    this.left -= count;
    // A number per (from, to, partition): thousands of texts would cost more than the plan.
    const key = ((slice.partition ?? -1) + 1) * this.#pods * this.#pods + from.index * this.#pods + to.index;
    const placed = this.#placed.get(key);
    if (placed === undefined) this.#placed.set(key, { from, to, partition: slice.partition, count });
    else placed.count += count;
  }

  placed(): readonly Placed[] {
    return [...this.#placed.values()];
  }
}

/** @param weights with 1 as the mean. */
export function byTaking(a: number, b: number, taking: Taking): number {
  if (taking === "fewest") return b - a;
  return Math.abs(Math.log(a)) - Math.abs(Math.log(b)) || b - a;
}

/** A heap of pods with room; of equally empty ones the first by key. Only the first may change its load, upwards. */
export class EmptiestFirst {
  readonly #heap: Desk[];

  constructor(desks: readonly Desk[]) {
    this.#heap = desks.filter((desk) => desk.room > 0).toSorted((a, b) => (isEmptier(a, b) ? -1 : 1));
  }

  first(): Desk | undefined {
    return this.#heap[0];
  }

  /** After the first was given connections: puts it where it belongs now. */
  settle(): void {
    const heap = this.#heap;
    const [first] = heap;
    if (first === undefined) return;
    if (first.room <= 0) {
      const last = heap.pop();
      if (last === undefined || heap.length === 0) return;
      heap[0] = last;
    }
    for (let at = 0; ;) {
      const desk = heap[at];
      if (desk === undefined) return;
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        const [one, best] = [heap[child], heap[least]];
        if (one !== undefined && best !== undefined && isEmptier(one, best)) least = child;
      }
      const other = heap[least];
      if (least === at || other === undefined) return;
      heap[at] = other;
      heap[least] = desk;
      at = least;
    }
  }
}

function isEmptier(a: Desk, b: Desk): boolean {
  return a.load < b.load || (a.load === b.load && a.index < b.index);
}
