// Metrics of the operator, with controller-runtime's names where they exist.
import type { MetricRow } from "@wscluster/protocol";

export const OPERATOR_METRICS = {
  controller_runtime_reconcile_total: { kind: "counter", help: "Passes, by result.", labels: ["controller", "result"] },
  controller_runtime_reconcile_errors_total: { kind: "counter", help: "Failed passes.", labels: ["controller"] },
  controller_runtime_reconcile_time_seconds: {
    kind: "histogram",
    help: "Seconds of a pass.",
    labels: ["controller"],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  },
  controller_runtime_active_workers: { kind: "gauge", help: "Passes under way.", labels: ["controller"] },
  controller_runtime_max_concurrent_reconciles: { kind: "gauge", help: "Most passes at once.", labels: ["controller"] },
  workqueue_depth: { kind: "gauge", help: "Keys that wait.", labels: ["name"] },
  workqueue_adds_total: { kind: "counter", help: "Keys added.", labels: ["name"] },
  workqueue_queue_duration_seconds: {
    kind: "histogram",
    help: "Seconds that a key waited.",
    labels: ["name"],
    buckets: [0.001, 0.01, 0.1, 0.5, 1, 5, 10, 60],
  },
  workqueue_work_duration_seconds: {
    kind: "histogram",
    help: "Seconds that a key was worked on.",
    labels: ["name"],
    buckets: [0.001, 0.01, 0.1, 0.5, 1, 5, 10, 60],
  },
  workqueue_retries_total: { kind: "counter", help: "Keys added again after a failed pass.", labels: ["name"] },
  workqueue_unfinished_work_seconds: {
    kind: "gauge",
    help: "Seconds of all passes that are under way.",
    labels: ["name"],
  },
  workqueue_longest_running_processor_seconds: {
    kind: "gauge",
    help: "Seconds of the longest pass that is under way.",
    labels: ["name"],
  },
  rest_client_requests_total: { kind: "counter", help: "Requests to the API server.", labels: ["code", "method"] },
  leader_election_master_status: { kind: "gauge", help: "1 on the leader.", labels: ["name"] },
  wscluster_operator_gate_calls_total: {
    kind: "counter",
    help: "Visits of the synthetic client (served, failed, unreachable) and calls of webhooks (yes, no, unclear), by gate and result.",
    labels: ["gate", "result"],
  },
  wscluster_operator_clusters: { kind: "gauge", help: "Clusters that this process operates; 0 on a standby." },
  wscluster_operator_sets: { kind: "gauge", help: "Sets with pods, over all clusters, by role.", labels: ["role"] },
  wscluster_operator_held: {
    kind: "gauge",
    help: "Clusters whose moves are stopped, by reason of the condition `MovesAllowed`.",
    labels: ["reason"],
  },
  wscluster_operator_connections: {
    kind: "gauge",
    help: "Connections of a cluster, as its status reports them.",
    labels: ["namespace", "name"],
  },
  wscluster_operator_tokens: {
    kind: "gauge",
    help: "Moves that the budget allows now, by bucket (ordinary, emergency).",
    labels: ["namespace", "name", "bucket"],
  },
  wscluster_operator_pace_per_second: {
    kind: "gauge",
    help: "Pace of ordinary moves that was learnt from those who take in; at most `moves.maxPerSecond`.",
    labels: ["namespace", "name"],
  },
  wscluster_operator_imbalance_percent: {
    kind: "gauge",
    help: "Distance of the farthest pod from the mean load, percent of the mean; absent where it is not measured or not known.",
    labels: ["namespace", "name"],
  },
  wscluster_operator_pod_health: {
    kind: "gauge",
    help: "Health score of a serving pod: 100 = idle, 0 = full; absent where it is not known.",
    labels: ["namespace", "name", "pod"],
  },
  wscluster_operator_grants_total: {
    kind: "counter",
    help: "Grants, by intent and outcome: accepted, refused by the pod, unknown (no answer), unpaid (not sent, the budget was spent).",
    labels: ["intent", "outcome"],
  },
  wscluster_operator_granted_connections_total: {
    kind: "counter",
    help: "Connections that sent grants allowed to move, by intent and outcome of the grant.",
    labels: ["intent", "outcome"],
  },
  wscluster_operator_moves_total: {
    kind: "counter",
    help: "Fates of connections that were asked to move, from the receipts, by intent and outcome.",
    labels: ["intent", "outcome"],
  },
  wscluster_operator_cut_under_freeze_total: {
    kind: "counter",
    help: "Connections that were still on pods which ended while the store was away.",
  },
  wscluster_operator_moves_paused: { kind: "gauge", help: "1 while `movesPaused` is set in the operator's ConfigMap." },
} as const satisfies Record<string, MetricRow>;
