// What the agent counts, and the metrics made of it. Names are for people and dashboards only.
import { createMetrics, type Metrics } from "@wscluster/platform";
import type { EdgeAdmission, EdgeState, MetricRow } from "@wscluster/protocol";

export type EdgeCounters = { passes: number; failures: number; commands: number; proxyLosses: number };

export const noCounts = (): EdgeCounters => ({ passes: 0, failures: 0, commands: 0, proxyLosses: 0 });

export const EDGE_METRICS = {
  wscluster_edge_up: { kind: "gauge", help: "1 while the proxy answers its agent." },
  wscluster_edge_connections: { kind: "gauge", help: "Client connections." },
  wscluster_edge_connections_limit: {
    kind: "gauge",
    help: "Most connections that the proxy's limit of open files leaves; lower than wished where the node allows fewer.",
  },
  wscluster_edge_admission_limit: { kind: "gauge", help: "New connections per second that are let in; 0 = no limit." },
  wscluster_edge_refused_per_second: {
    kind: "gauge",
    help: "Arrivals per second that the storm brake refused, over the last ten seconds.",
  },
  wscluster_edge_servers: { kind: "gauge", help: "Server pods in the proxy, by state.", labels: ["state"] },
  wscluster_edge_generation: {
    kind: "gauge",
    help: "Generation of the instructions that the proxy follows; 0 = none.",
  },
  wscluster_edge_source_age_seconds: { kind: "gauge", help: "Time since the API server was last heard." },
  wscluster_edge_held: { kind: "gauge", help: "1 while the last answer is kept instead of the newest." },
  wscluster_edge_passes: { kind: "gauge", help: "Passes since the start." },
  wscluster_edge_failures: { kind: "gauge", help: "Passes that failed since the start." },
  wscluster_edge_commands: { kind: "gauge", help: "Commands given to the proxy since the start." },
  wscluster_edge_proxy_losses: { kind: "gauge", help: "How often the proxy went away since the start." },
} as const satisfies Record<string, MetricRow>;

export type EdgeMetrics = Metrics<keyof typeof EDGE_METRICS>;

export const edgeMetrics = (): EdgeMetrics => createMetrics(EDGE_METRICS, true);

export type EdgeReading = {
  /** Undefined when the proxy does not answer. */
  readonly state: EdgeState | undefined;
  readonly admission: EdgeAdmission | undefined;
  readonly isHeld: boolean;
  readonly connectionLimit: number;
};

export function recordEdge(metrics: EdgeMetrics, counters: EdgeCounters, reading: EdgeReading): void {
  const { state, isHeld, connectionLimit } = reading;
  metrics.set("wscluster_edge_up", state === undefined ? 0 : 1);
  metrics.set("wscluster_edge_held", isHeld ? 1 : 0);
  metrics.set("wscluster_edge_passes", counters.passes);
  metrics.set("wscluster_edge_failures", counters.failures);
  metrics.set("wscluster_edge_commands", counters.commands);
  metrics.set("wscluster_edge_proxy_losses", counters.proxyLosses);
  metrics.set("wscluster_edge_connections_limit", connectionLimit);
  metrics.set("wscluster_edge_admission_limit", reading.admission?.limitPerSecond ?? 0);
  metrics.set("wscluster_edge_refused_per_second", reading.admission?.refusedPerSecond ?? 0);
  // Unknown is not zero: without an answer the last figures stay.
  if (state === undefined) return;
  const servers = Object.values(state.servers);
  for (const name of ["ready", "drain"] as const)
    metrics.set("wscluster_edge_servers", servers.filter((server) => server.state === name).length, { state: name });
  metrics.set("wscluster_edge_connections", state.connections);
  metrics.set("wscluster_edge_generation", state.generation);
  metrics.set("wscluster_edge_source_age_seconds", state.sourceAgeMs / 1_000);
}
