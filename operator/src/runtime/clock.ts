// The only source of time for the operator: wall clock, monotonic clock and timers behind one port.
// No decision code reads Date.now or setTimeout by itself. The fake for tests is in fake-clock.ts.

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall clock, milliseconds since 1970. For people and for what is stored; never for measuring a duration. */
  nowMs(): number;
  /** Milliseconds of a clock that never jumps. Only differences mean something. */
  monotonicMs(): number;
  /** Calls `fire` once after `delayMs` (>= 0, any size) unless cancelled. A timer does not keep the process alive by itself when `background`. */
  startTimer(delayMs: number, fire: () => void, background?: boolean): Timer;
}

// Node turns a longer delay into 1 ms, which would be a hot loop: long timers are armed in pieces.
const LONGEST_NODE_TIMER_MS = 2_147_483_647;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  startTimer(delayMs, fire, background = false) {
    let remainingMs = Math.max(0, delayMs);
    let handle: NodeJS.Timeout;
    const arm = (): void => {
      const pieceMs = Math.min(remainingMs, LONGEST_NODE_TIMER_MS);
      remainingMs -= pieceMs;
      handle = setTimeout(remainingMs > 0 ? arm : fire, pieceMs);
      if (background) handle.unref();
    };
    arm();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Waits; ends early (without an error) when `signal` aborts. Returns false when it ended early. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve(false);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      resolve(false);
    };
    const timer = clock.startTimer(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve(true);
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
