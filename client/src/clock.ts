// Time and timers as the SDK sees them. Injectable, so that a test or a simulation owns every delay. Not here: wall-clock time.

export type TimerHandle = unknown;

/** Source of time. `now` is monotonic milliseconds with any origin. */
export interface Clock {
  now(): number;
  setTimer(run: () => void, delayMs: number): TimerHandle;
  clearTimer(handle: TimerHandle): void;
}

/** The clock of the running platform. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer: (run, delayMs) => setTimeout(run, delayMs),
  clearTimer: (handle) => {
    clearTimeout(handle as ReturnType<typeof setTimeout>);
  },
};
