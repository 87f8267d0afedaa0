import { createMetrics } from "@wscluster/platform";
import { expect, it } from "vitest";
import { OPERATOR_METRICS } from "./cluster/metrics.ts";
import { controllerMetricsFor } from "./controller-metrics.ts";
import { Controller, FakeClock } from "./runtime/index.ts";

it("shows passes by result, retries, and a pass that hangs while it hangs", async () => {
  const metrics = createMetrics(OPERATOR_METRICS);
  const clock = new FakeClock();
  const hanging = Promise.withResolvers<void>();
  const loop = controllerMetricsFor(metrics, "c", 2, () => controller);
  const controller: Controller = new Controller({
    name: "c",
    clock,
    random: () => 0.5,
    workers: 2,
    async reconcile(key) {
      if (key === "bad") throw new Error("no");
      if (key === "slow") await hanging.promise;
      return { kind: "done" };
    },
    onPass: loop.onPass,
    queueHooks: loop.queueHooks,
  });
  const line = async (text: string) => {
    loop.collect();
    return (await metrics.text()).split("\n").find((one) => one.startsWith(text));
  };
  expect(await line('controller_runtime_reconcile_total{controller="c",result="error"}')).toMatch(/ 0$/);
  controller.start();
  for (const key of ["good", "bad", "slow"]) controller.enqueue(key);
  await expect.poll(() => line("workqueue_retries_total")).toBe('workqueue_retries_total{name="c"} 1');
  await expect.poll(() => controller.activeWorkers).toBe(1);
  await clock.advance(7_000);
  expect(await line("workqueue_longest_running_processor_seconds")).toMatch(/ 7$/);
  expect(await line("workqueue_unfinished_work_seconds")).toMatch(/ 7$/);
  expect(await line("controller_runtime_active_workers")).toMatch(/ [12]$/);
  hanging.resolve();
  await controller.stop();
  expect(await line('controller_runtime_reconcile_total{controller="c",result="success"}')).toMatch(/ 2$/);
  expect(await line("workqueue_longest_running_processor_seconds")).toMatch(/ 0$/);
  expect(await line("controller_runtime_max_concurrent_reconciles")).toMatch(/ 2$/);
});
