// How long requests take, by type: what people wait for, and one of the measures of a pod's health. Not here: publishes, which have a
// histogram of their own (publish-lane.ts).

import type { SERVER_METRICS } from "@wscluster/protocol";
import type { Metrics } from "@wscluster/platform";

export type ResponseType = "hello" | "sub" | "fetch" | "store";

/** Runs the task and notes how long it took, however it ended. */
export async function timed<T>(
  metrics: Pick<Metrics<keyof typeof SERVER_METRICS>, "observe">,
  type: ResponseType,
  task: () => Promise<T>,
): Promise<T> {
  const startedMs = performance.now();
  try {
    return await task();
  } finally {
    metrics.observe("wscluster_response_seconds", (performance.now() - startedMs) / 1_000, { type });
  }
}
