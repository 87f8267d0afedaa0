// The controller loop's own metrics, with controller-runtime's names. Not here: what a pass finds (cluster/cluster-metrics.ts).
import type { OperatorMetrics } from "./cluster/cluster-metrics.ts";
import type { Controller, ControllerOptions, PassReport } from "./runtime/index.ts";

type Hooks = Required<Pick<ControllerOptions, "onPass" | "queueHooks">>;
type Watched = Pick<Controller, "activeWorkers" | "runningMs">;

export type ControllerMetrics = Hooks & {
  /** Called before each exposition: a pass that hangs ends nowhere else. */
  collect(): void;
};

/** @param controller asked late, since it is made with these hooks */
export function controllerMetricsFor(
  metrics: OperatorMetrics,
  name: string,
  workers: number,
  controller: () => Watched,
): ControllerMetrics {
  const of = { controller: name };
  metrics.set("controller_runtime_max_concurrent_reconciles", workers, of);
  // Rates and alerts need the zero before the first event.
  for (const result of ["success", "requeue_after", "error", "terminal"]) {
    metrics.add("controller_runtime_reconcile_total", 0, { ...of, result });
  }
  metrics.add("controller_runtime_reconcile_errors_total", 0, of);
  metrics.add("workqueue_retries_total", 0, { name });
  return {
    onPass({ outcome, durationMs }: PassReport) {
      metrics.add("controller_runtime_reconcile_total", 1, { ...of, result: outcome });
      metrics.observe("controller_runtime_reconcile_time_seconds", durationMs / 1_000, of);
      metrics.observe("workqueue_work_duration_seconds", durationMs / 1_000, { name });
      if (outcome !== "error") return;
      metrics.add("controller_runtime_reconcile_errors_total", 1, of);
      metrics.add("workqueue_retries_total", 1, { name });
    },
    queueHooks: {
      onDepth: (depth) => metrics.set("workqueue_depth", depth, { name }),
      onAdd: () => metrics.add("workqueue_adds_total", 1, { name }),
      onTaken: (_key, waitedMs) => metrics.observe("workqueue_queue_duration_seconds", waitedMs / 1_000, { name }),
    },
    collect() {
      const { activeWorkers, runningMs } = controller();
      metrics.set("controller_runtime_active_workers", activeWorkers, of);
      metrics.set("workqueue_unfinished_work_seconds", runningMs.reduce((sum, ms) => sum + ms, 0) / 1_000, { name });
      metrics.set("workqueue_longest_running_processor_seconds", Math.max(0, ...runningMs) / 1_000, { name });
    },
  };
}
