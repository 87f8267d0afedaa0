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
  wscluster_connection_slots: {
    kind: "gauge",
    help: "Slots of the capacity in use: sockets of users, those with a session by the weight of their user.",
  },
  wscluster_connections_idle: { kind: "gauge", help: "Of those, the ones whose client sent nothing for a minute." },
  wscluster_sockets: { kind: "gauge", help: "Open sockets, by state.", labels: ["state"] },
  wscluster_connections_opened_total: { kind: "counter", help: "Sockets accepted, by arrival.", labels: ["arrival"] },
  wscluster_connections_closed_total: { kind: "counter", help: "Sockets closed, by close code.", labels: ["code"] },
  wscluster_messages_received_total: {
    kind: "counter",
    help: "Frames received from clients, by type.",
    labels: ["type"],
  },
  wscluster_messages_sent_total: {
    kind: "counter",
    help: "Frames sent to one client alone (all but publications), by type.",
    labels: ["type"],
  },
  wscluster_message_bytes: {
    kind: "histogram",
    help: "Payload bytes of messages from clients.",
    buckets: [64, 256, 1_024, 4_096, 16_384, 65_536],
  },
  wscluster_received_bytes_total: { kind: "counter", help: "Bytes that came on the client port's sockets." },
  wscluster_sent_bytes_total: { kind: "counter", help: "Bytes that left on the client port's sockets." },
  wscluster_deliveries_total: { kind: "counter", help: "Publications handed to sockets." },
  wscluster_delivery_failures_total: {
    kind: "counter",
    help: "Publications kept from subscribers that read too slowly: lagging = fed later from history, dropped = unnumbered and gone.",
    labels: ["why"],
  },
  wscluster_send_success_ratio: {
    kind: "histogram",
    help: "Of each turn of a channel, the share of its subscribers that got its publications at once.",
    buckets: [0, 0.5, 0.9, 0.95, 0.99, 0.999, 1],
  },
  wscluster_fanout_batch: {
    kind: "histogram",
    help: "Deliveries that one channel handed over at once (publications of one turn times subscribers).",
    buckets: [1, 10, 100, 1_000, 10_000, 100_000],
  },
  wscluster_block_saved_bytes_total: {
    kind: "counter",
    help: "Bytes that were not sent because publications left as compressed blocks.",
  },
  wscluster_publishes_total: { kind: "counter", help: "Publishes, by result.", labels: ["result"] },
  wscluster_publish_seconds: {
    kind: "histogram",
    help: "Seconds from a client's publish to the store's answer.",
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  },
  wscluster_response_seconds: {
    kind: "histogram",
    help: "Seconds from a request to its answer, by type; store = the look at the store that the pod takes each second.",
    labels: ["type"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
  },
  wscluster_partition_connections: {
    kind: "gauge",
    help: "Open sockets that hold a session, by partition of the routing key; empty partitions are left out.",
    labels: ["partition"],
  },
  wscluster_partition_weight: {
    kind: "gauge",
    help: "The same, each by the weight of its user.",
    labels: ["partition"],
  },
  wscluster_partition_messages_total: {
    kind: "counter",
    help: "Messages from and publications to clients, by partition of the client.",
    labels: ["partition"],
  },
  wscluster_channel_deliveries_per_second: {
    kind: "gauge",
    help: "Deliveries of the busiest channels (TENANT/CHANNEL), at most ten of them, over the last five seconds.",
    labels: ["channel"],
  },
  wscluster_moves_total: { kind: "counter", help: "Moves, by outcome at this pod as source.", labels: ["outcome"] },
  wscluster_resumes_total: { kind: "counter", help: "Sessions that came to this pod, by way.", labels: ["way"] },
  wscluster_failed_resumes_total: {
    kind: "counter",
    help: "Clients that wanted to go on with a session at this pod and could not, by kind (resume, move).",
    labels: ["kind"],
  },
  wscluster_gaps_total: { kind: "counter", help: "Gaps told to clients, by reason.", labels: ["why"] },
  wscluster_errors_total: {
    kind: "counter",
    help: "Errors by kind (connection, message, timeout) and by the code of the err frame or the close.",
    labels: ["kind", "code"],
  },
  wscluster_limited_total: { kind: "counter", help: "Refusals by a limit, by the limit's name.", labels: ["limit"] },
  wscluster_refused_upgrades_total: {
    kind: "counter",
    help: "HTTP refusals on the client port, by status.",
    labels: ["status"],
  },
  wscluster_admission_rate_per_second: {
    kind: "gauge",
    help: "New connections per second that are let in beside the work for those who are there, as measured.",
  },
  wscluster_admission_waiting: { kind: "gauge", help: "Clients that wait for their turn, or for a slot." },
  wscluster_queue_bytes: { kind: "gauge", help: "Bytes waiting in send queues." },
  wscluster_event_loop_lag_seconds: {
    kind: "gauge",
    help: "Event-loop delay, 99th percentile over the last interval.",
  },
  wscluster_memory_bytes: { kind: "gauge", help: "Resident memory of the process." },
  wscluster_memory_limit_bytes: { kind: "gauge", help: "Memory that the process may use." },
  wscluster_cpu_cores: { kind: "gauge", help: "Processor cores in use, over the last second." },
  wscluster_pressure_ratio: { kind: "gauge", help: "0 = idle, 1 = cannot take more." },
  wscluster_config_generation: { kind: "gauge", help: "Generation of the settings in force." },
  wscluster_config_ok: {
    kind: "gauge",
    help: "0 while the settings file is not valid and the one before stays in force.",
  },
  wscluster_broker_up: { kind: "gauge", help: "1 while the store answers." },
  wscluster_ingest_messages_total: {
    kind: "counter",
    help: "Messages that came in from a Redis channel, by what became of them: stored, dup (stored before), or the code of docs/errors.md under which they were left out.",
    labels: ["source", "result"],
  },
  wscluster_ingest_waiting: {
    kind: "gauge",
    help: "Messages that came in and are not stored yet.",
    labels: ["source"],
  },
  wscluster_grants_total: { kind: "counter", help: "Grants, by result.", labels: ["result"] },
} as const satisfies Record<string, MetricRow>;
