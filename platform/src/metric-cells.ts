// Counters and histograms that cost a message next to nothing: an addition to a number that is found by its labels' values. prom-client
// hashes and checks the labels of each call; here it only writes the text.
// Not here: which metrics there are (metrics.ts).

import { Counter, Histogram } from "prom-client";
import type { Registry } from "prom-client";
import type { MetricRow } from "@wscluster/protocol";

export type Labels = Readonly<Record<string, string>>;

export class LabelError extends Error {
  readonly code = "wrong-labels";
}

/** Values by the values of their labels. */
class Cells<C> {
  readonly name: string;
  readonly #labelNames: readonly string[];
  readonly #make: (labels: Labels) => C;
  readonly #cells = new Map<string, C>();

  constructor(name: string, labelNames: readonly string[], make: (labels: Labels) => C) {
    this.name = name;
    this.#labelNames = labelNames;
    this.#make = make;
    if (labelNames.length === 0) this.#cells.set("", make({}));
  }

  of(labels: Labels): C {
    const names = this.#labelNames;
    let key = "";
    if (names.length === 1) key = labels[names[0] ?? ""] ?? "";
    else for (const name of names) key += `${labels[name] ?? ""}\0`;
    const known = this.#cells.get(key);
    if (known !== undefined) return known;
    const wrong = Object.keys(labels).find((name) => !names.includes(name));
    if (wrong !== undefined) {
      throw new LabelError(
        `cannot use label ${wrong} with metric ${this.name}: its row in the table has no such label`,
      );
    }
    const made = this.#make(labels);
    this.#cells.set(key, made);
    return made;
  }

  values(): Iterable<C> {
    return this.#cells.values();
  }
}

/** Handed to prom-client when somebody asks. */
export class CellCounter {
  readonly #cells: Cells<{ readonly labels: Labels; amount: number }>;

  constructor(name: string, row: MetricRow, registry: Registry) {
    const cells = new Cells(name, row.labels ?? [], (labels) => ({ labels, amount: 0 }));
    this.#cells = cells;
    new Counter({
      name,
      help: row.help,
      labelNames: [...(row.labels ?? [])],
      registers: [registry],
      collect() {
        for (const cell of cells.values()) {
          // Zeros too: a rate needs the series before its first event.
          this.inc(cell.labels, cell.amount);
          cell.amount = 0;
        }
      },
    });
  }

  add(amount: number, labels: Labels): void {
    if (!(amount >= 0)) throw new RangeError(`cannot add ${amount} to a counter`);
    this.#cells.of(labels).amount += amount;
  }
}

type Distribution = { readonly labels: Labels; readonly counts: number[]; sum: number; count: number };

export class CellHistogram extends Histogram {
  readonly #cells: Cells<Distribution>;
  readonly #bounds: readonly number[];
  /** What prom-client says of an empty one. */
  readonly #empty: Histogram;

  constructor(name: string, row: MetricRow, registry: Registry) {
    super({ name, help: row.help, registers: [registry] });
    this.#empty = new Histogram({ name, help: row.help, registers: [] });
    const bounds = row.buckets ?? DEFAULT_BOUNDS;
    this.#bounds = bounds;
    this.#cells = new Cells(name, row.labels ?? [], (labels) => ({
      labels,
      counts: Array.from({ length: bounds.length }, () => 0),
      sum: 0,
      count: 0,
    }));
  }

  note(value: number, labels: Labels): void {
    const cell = this.#cells.of(labels);
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] ?? Infinity)) at += 1;
    if (at < bounds.length) cell.counts[at] = (cell.counts[at] ?? 0) + 1;
    cell.sum += value;
    cell.count += 1;
  }

  override async get(): ReturnType<Histogram["get"]> {
    const values = [...this.#cells.values()].flatMap(({ labels, counts, sum, count }) => {
      let below = 0;
      const buckets = this.#bounds.map((le, at) => {
        below += counts[at] ?? 0;
        return { metricName: `${this.#name}_bucket`, labels: { le, ...labels }, value: below };
      });
      return [
        ...buckets,
        { metricName: `${this.#name}_bucket`, labels: { le: "+Inf", ...labels }, value: count },
        { metricName: `${this.#name}_sum`, labels, value: sum },
        { metricName: `${this.#name}_count`, labels, value: count },
      ];
    });
    return { ...(await this.#empty.get()), values };
  }

  /** prom-client asks for this one where it exists, and its own would not know our values. */
  getForPromString(): ReturnType<Histogram["get"]> {
    return this.get();
  }

  get #name(): string {
    return this.#cells.name;
  }
}

const DEFAULT_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
