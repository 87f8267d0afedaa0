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
  rest_client_requests_total: { kind: "counter", help: "Requests to the API server.", labels: ["code", "method"] },
  leader_election_master_status: { kind: "gauge", help: "1 on the leader.", labels: ["name"] },
} as const satisfies Record<string, MetricRow>;
