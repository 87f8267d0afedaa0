// One watch connection: bytes -> lines -> typed events, with an inactivity guard. Reconnecting is the reflector's job.
import { StringDecoder } from "node:string_decoder";
import type { Clock } from "../runtime/clock.ts";
import { transportError } from "./connection.ts";
import { codeFor, KubeError } from "./errors.ts";
import type { KubeObject } from "./objects.ts";
import type { WatchEvent } from "./ports.ts";
import type { StatusBody } from "./status-answer.ts";

export type WatchStream = {
  body: AsyncIterable<Uint8Array> & { destroy(): void };
  clock: Clock;
  /** Aborts the request; called when the consumer leaves the loop. */
  abort: AbortController;
  inactivityMs: number;
  /** `watch pods`, for messages. */
  attempted: string;
};

/** Yields events until the server ends the stream. @throws KubeError, e.g. Gone, Timeout (silence), BadResponse. */
export async function* readWatch<T extends KubeObject>(stream: WatchStream): AsyncGenerator<WatchEvent<T>> {
  const guard = startSilenceGuard(stream);
  try {
    for await (const line of linesOf(stream.body, guard.heard)) {
      const event = parseWatchLine<T>(line, stream.attempted);
      if (event !== undefined) yield event;
    }
  } catch (error) {
    if (guard.isSilent()) {
      throw new KubeError("Timeout", `cannot ${stream.attempted}: silent for ${stream.inactivityMs} ms`, {
        cause: error,
      });
    }
    throw transportError(error, stream.abort.signal);
  } finally {
    guard.release();
    stream.abort.abort();
    stream.body.destroy();
  }
}

async function* linesOf(body: AsyncIterable<Uint8Array>, heard: () => void): AsyncGenerator<string> {
  const decoder = new StringDecoder("utf8");
  // Pieces of a line that is not complete yet; joined once, since a big object comes in many chunks.
  let pieces: string[] = [];
  for await (const chunk of body) {
    heard();
    const text = decoder.write(chunk);
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      pieces.push(text.slice(start, end));
      const line = pieces.join("");
      pieces = [];
      start = end + 1;
      if (line.trim() !== "") yield line;
    }
    if (start < text.length) pieces.push(text.slice(start));
  }
  // A cut last line is not an event: the next watch from the last version brings it whole.
}

/** Undefined for event types of a future API. @throws KubeError BadResponse, or the code of an ERROR event. */
export function parseWatchLine<T extends KubeObject>(line: string, attempted: string): WatchEvent<T> | undefined {
  let event: { type?: unknown; object?: unknown };
  try {
    event = JSON.parse(line) as typeof event;
  } catch (cause) {
    throw new KubeError("BadResponse", `cannot ${attempted}: a line of the stream is not JSON`, { cause });
  }
  if (event.type === "ERROR") {
    const status = (event.object ?? {}) as StatusBody;
    const code = codeFor(status.code ?? 500, status.reason);
    throw new KubeError(code, `cannot ${attempted}: ${status.message ?? status.reason ?? "unknown error"}`, {
      ...(status.code === undefined ? {} : { status: status.code }),
      ...(status.reason === undefined ? {} : { reason: status.reason }),
    });
  }
  const object = event.object as T | undefined;
  const version = object?.metadata?.resourceVersion;
  if (object === undefined || typeof version !== "string") {
    throw new KubeError("BadResponse", `cannot ${attempted}: an event of type ${String(event.type)} has no version`);
  }
  switch (event.type) {
    case "BOOKMARK":
      return { type: "BOOKMARK", resourceVersion: version };
    case "ADDED":
    case "MODIFIED":
    case "DELETED":
      return { type: event.type, object };
    default:
      return undefined;
  }
}

// A half-open connection delivers nothing and no error: only silence shows it.
function startSilenceGuard(stream: WatchStream): { heard: () => void; isSilent: () => boolean; release: () => void } {
  const { clock, inactivityMs, abort } = stream;
  let heardAtMs = clock.monotonicMs();
  let silent = false;
  const check = (): void => {
    const quietMs = clock.monotonicMs() - heardAtMs;
    if (quietMs >= inactivityMs) {
      silent = true;
      abort.abort();
    } else {
      timer = clock.startTimer(inactivityMs - quietMs, check, true);
    }
  };
  let timer = clock.startTimer(inactivityMs, check, true);
  return {
    heard: () => {
      heardAtMs = clock.monotonicMs();
    },
    isSilent: () => silent,
    release: () => timer.cancel(),
  };
}
