// Names of the metrics that another process reads. Not here: metrics that only people read (telemetry tables of each part).

export type MetricKind = "counter" | "gauge" | "histogram";
export type MetricRow = {
  readonly kind: MetricKind;
  readonly help: string;
  readonly labels?: readonly string[];
  readonly buckets?: readonly number[];
};

export const SERVER_METRICS = {
  wscluster_connections: { kind: "gauge", help: "Open sockets that hold a session." },
  wscluster_connections_opened_total: { kind: "counter", help: "Sockets accepted, by arrival.", labels: ["arrival"] },
  wscluster_connections_closed_total: { kind: "counter", help: "Sockets closed, by close code.", labels: ["code"] },
  wscluster_messages_received_total: {
    kind: "counter",
    help: "Frames received from clients, by type.",
    labels: ["type"],
  },
  wscluster_deliveries_total: { kind: "counter", help: "Publications handed to sockets." },
  wscluster_publishes_total: { kind: "counter", help: "Publishes, by result.", labels: ["result"] },
  wscluster_publish_seconds: {
    kind: "histogram",
    help: "Seconds from a client's publish to the store's answer.",
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  },
  wscluster_moves_total: { kind: "counter", help: "Moves, by outcome at this pod as source.", labels: ["outcome"] },
  wscluster_resumes_total: { kind: "counter", help: "Sessions that came to this pod, by way.", labels: ["way"] },
  wscluster_gaps_total: { kind: "counter", help: "Gaps told to clients, by reason.", labels: ["why"] },
  wscluster_queue_bytes: { kind: "gauge", help: "Bytes waiting in send queues." },
  wscluster_event_loop_lag_seconds: {
    kind: "gauge",
    help: "Event-loop delay, 99th percentile over the last interval.",
  },
  wscluster_broker_up: { kind: "gauge", help: "1 while the store answers." },
  wscluster_grants_total: { kind: "counter", help: "Grants, by result.", labels: ["result"] },
} as const satisfies Record<string, MetricRow>;
