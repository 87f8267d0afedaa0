// A signal that aborts with the caller's or when time is up, and knows which of the two it was.
import type { Clock } from "../runtime/clock.ts";

export type Deadline = {
  readonly signal: AbortSignal;
  readonly isExpired: boolean;
  /** Milliseconds left, >= 0. */
  remainingMs(): number;
  /** Must be called: frees the timer and the listener. */
  release(): void;
};

export function startDeadline(clock: Clock, timeoutMs: number, parent?: AbortSignal): Deadline {
  const controller = new AbortController();
  const endMs = clock.monotonicMs() + timeoutMs;
  let isExpired = false;
  const onAbort = (): void => controller.abort();
  if (parent?.aborted === true) controller.abort();
  else parent?.addEventListener("abort", onAbort, { once: true });
  const timer = clock.startTimer(
    timeoutMs,
    () => {
      isExpired = !controller.signal.aborted;
      controller.abort();
    },
    true,
  );
  return {
    signal: controller.signal,
    get isExpired() {
      return isExpired;
    },
    remainingMs: () => Math.max(0, endMs - clock.monotonicMs()),
    release() {
      timer.cancel();
      parent?.removeEventListener("abort", onAbort);
    },
  };
}
