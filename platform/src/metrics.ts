// Metrics from a table of rows; with metric-cells.ts the only file that knows prom-client. Not here: the tables.

import { Gauge, Registry, collectDefaultMetrics } from "prom-client";
import type { MetricRow } from "@wscluster/protocol";
import { CellCounter, CellHistogram } from "./metric-cells.ts";
import type { Labels } from "./metric-cells.ts";

export type MetricTable = Readonly<Record<string, MetricRow>>;

/** Values by name; a name that is not in the table does not compile. */
export type Metrics<Name extends string> = {
  add(name: Name, amount?: number, labels?: Labels): void;
  set(name: Name, value: number, labels?: Labels): void;
  observe(name: Name, value: number, labels?: Labels): void;
  /** Forgets one series of a gauge: what it spoke of is gone. */
  remove(name: Name, labels: Labels): void;
  /** Exposition text for `/metrics`. */
  text(): Promise<string>;
  readonly contentType: string;
};

export class MetricError extends Error {
  readonly code = "wrong-kind";
}

/** @param withProcess also the Node.js and process metrics of prom-client. */
export function createMetrics<T extends MetricTable>(table: T, withProcess = false): Metrics<keyof T & string> {
  const registry = new Registry();
  if (withProcess) collectDefaultMetrics({ register: registry });
  const entries = new Map<string, CellCounter | Gauge | CellHistogram>();
  for (const [name, row] of Object.entries(table)) entries.set(name, metricFor(name, row, registry));

  function get<K>(name: string, kind: abstract new (...args: never[]) => K): K {
    const metric = entries.get(name);
    if (metric instanceof kind) return metric;
    throw new MetricError(`cannot use metric ${name} as a ${kind.name}: its row in the table says otherwise`);
  }

  return {
    add: (name, amount = 1, labels = NO_LABELS) => get(name, CellCounter).add(amount, labels),
    set: (name, value, labels = {}) => get(name, Gauge).set(labels, value),
    observe: (name, value, labels = NO_LABELS) => get(name, CellHistogram).note(value, labels),
    remove: (name, labels) => get(name, Gauge).remove(labels),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

const NO_LABELS: Labels = {};

function metricFor(name: string, row: MetricRow, registry: Registry): CellCounter | Gauge | CellHistogram {
  switch (row.kind) {
    case "counter":
      return new CellCounter(name, row, registry);
    case "gauge":
      return new Gauge({ name, help: row.help, labelNames: [...(row.labels ?? [])], registers: [registry] });
    case "histogram":
      return new CellHistogram(name, row, registry);
  }
}
