// Metrics from a table of rows; the only file that knows prom-client. Not here: the tables.

import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";
import type { MetricRow } from "@wscluster/protocol";

export type MetricTable = Readonly<Record<string, MetricRow>>;

type Labels = Readonly<Record<string, string>>;

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
  const entries = new Map<string, Counter | Gauge | Histogram>();
  for (const [name, row] of Object.entries(table)) entries.set(name, metricFor(name, row, registry));

  function get<K>(name: string, kind: abstract new (...args: never[]) => K): K {
    const metric = entries.get(name);
    if (metric instanceof kind) return metric;
    throw new MetricError(`cannot use metric ${name} as a ${kind.name}: its row in the table says otherwise`);
  }

  return {
    add: (name, amount = 1, labels = {}) => get(name, Counter).inc(labels, amount),
    set: (name, value, labels = {}) => get(name, Gauge).set(labels, value),
    observe: (name, value, labels = {}) => get(name, Histogram).observe(labels, value),
    remove: (name, labels) => get(name, Gauge).remove(labels),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

function metricFor(name: string, row: MetricRow, registry: Registry): Counter | Gauge | Histogram {
  const config = { name, help: row.help, labelNames: [...(row.labels ?? [])], registers: [registry] };
  switch (row.kind) {
    case "counter":
      return new Counter(config);
    case "gauge":
      return new Gauge(config);
    case "histogram":
      return new Histogram(row.buckets ? { ...config, buckets: [...row.buckets] } : config);
  }
}
