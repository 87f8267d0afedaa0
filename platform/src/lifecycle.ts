// Ordered start and stop of a process's parts. Not here: what the parts do, and process.exit (the composition root passes it).

import type { Logger } from "./logger.ts";

export type Part = {
  readonly name: string;
  start?(): Promise<void> | void;
  stop?(): Promise<void> | void;
  /** Longest time that stopping may take; after it the next part is stopped anyway. Milliseconds. */
  readonly stopWithinMs: number;
};

export class LifecycleError extends Error {
  readonly code = "start-failed";
}

export type Lifecycle = {
  /** Starts in order. When one fails, those already started are stopped in reverse order and the error is thrown. */
  start(): Promise<void>;
  /** Stops in reverse order. Never throws; runs once, later calls wait for the first. Resolves to the parts that failed or ran late. */
  stop(): Promise<readonly string[]>;
};

export function createLifecycle(parts: readonly Part[], logger: Pick<Logger, "warn" | "info">): Lifecycle {
  const started: Part[] = [];
  let stopping: Promise<readonly string[]> | undefined;

  async function stopAll(): Promise<readonly string[]> {
    const late: string[] = [];
    for (const part of started.splice(0).reverse()) {
      const problem = await stopPart(part);
      if (problem === undefined) continue;
      late.push(part.name);
      logger.warn({ part: part.name, problem }, "part did not stop cleanly");
    }
    return late;
  }

  return {
    async start() {
      for (const part of parts) {
        try {
          await part.start?.();
          started.push(part);
        } catch (error) {
          await stopAll();
          throw new LifecycleError(`cannot start ${part.name}: ${messageOf(error)}`, { cause: error });
        }
      }
    },
    stop: () => (stopping ??= stopAll()),
  };
}

async function stopPart(part: Part): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`not stopped within ${part.stopWithinMs} ms`), part.stopWithinMs);
  });
  try {
    return await Promise.race([Promise.resolve(part.stop?.()).then(() => undefined), late]);
  } catch (error) {
    return messageOf(error);
  } finally {
    clearTimeout(timer);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export type SignalSource = {
  on(signal: "SIGTERM" | "SIGINT", listener: () => void): unknown;
  off(signal: "SIGTERM" | "SIGINT", listener: () => void): unknown;
};

/** First SIGTERM or SIGINT: `onFirst`. Any later one: `onSecond`, which should force the end. Returns the way to stop listening. */
export function handleSignals(
  source: SignalSource,
  onFirst: (signal: string) => void,
  onSecond: (signal: string) => void,
): () => void {
  let seen = false;
  const listenerFor = (signal: string) => () => {
    if (seen) return onSecond(signal);
    seen = true;
    onFirst(signal);
  };
  const term = listenerFor("SIGTERM");
  const int = listenerFor("SIGINT");
  source.on("SIGTERM", term);
  source.on("SIGINT", int);
  return () => {
    source.off("SIGTERM", term);
    source.off("SIGINT", int);
  };
}
