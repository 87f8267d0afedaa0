// Waiting for a fact with a deadline and a sentence about what was seen last. Not here: what the facts are.

export class WaitError extends Error {
  override readonly name = "WaitError";
}

export type WaitOptions = {
  readonly timeoutMs: number;
  readonly everyMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** What was last seen, for the message of a time-out. */
  readonly seen?: () => string;
};

export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((wake, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new WaitError("interrupted"));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      wake();
    }, milliseconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Asks until the answer is not undefined; throws what was awaited and what was seen last. A probe that throws is asked again. */
export async function waitFor<T>(what: string, probe: () => Promise<T | undefined>, options: WaitOptions): Promise<T> {
  const begin = performance.now();
  let lastError: unknown;
  for (;;) {
    try {
      const answer = await probe();
      if (answer !== undefined) return answer;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() - begin > options.timeoutMs) {
      const seen = options.seen?.() ?? "";
      const trouble = lastError instanceof Error ? `; the last question failed: ${lastError.message}` : "";
      throw new WaitError(
        `waited ${Math.round(options.timeoutMs / 1_000)} s for ${what}${seen && `; seen last: ${seen}`}${trouble}`,
      );
    }
    await pause(options.everyMs ?? 300, options.signal);
  }
}
