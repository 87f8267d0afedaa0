// Public surface of the controller machinery. Nothing here knows Kubernetes.
export { systemClock, sleep, type Clock, type Timer } from "./clock.ts";
export { FakeClock } from "./fake-clock.ts";
export { backoffMs, type BackoffPolicy } from "./backoff.ts";
export { KeyedQueue, type AddOptions, type QueueHooks } from "./queue.ts";
export {
  emptyBucket,
  fullBucket,
  refillBucket,
  takeTokens,
  takeUpTo,
  type Taken,
  type TokenBucket,
  type TokenBucketSpec,
} from "./token-bucket.ts";
export {
  Controller,
  type ControllerOptions,
  type PassOutcome,
  type PassReport,
  type ReconcileContext,
  type ReconcileResult,
} from "./controller.ts";
