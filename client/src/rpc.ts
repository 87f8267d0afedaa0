// Calls of the application's routes. Not here: what they do (the server's router).

import { CLIENT_DEFAULTS, isRetryable } from "@wscluster/protocol";
import type { Client } from "./client.ts";
import { ClientError, isClientError } from "./errors.ts";
import { RETRY_MS, refusal } from "./service.ts";

export type RpcOptions = {
  /** How long to wait in all, also for a connection. Default 10 s. */
  readonly timeoutMs?: number;
  /** Names the call, so that a route that is idempotent does it once also when another client calls it again. Default: a random one. */
  readonly key?: string;
};

/**
 * Calls a route. Through a move the answer is awaited on the old connection. When a connection breaks under the call it is sent again;
 * a route that is declared idempotent is then called under the same key, any other answers `outcome-unknown`.
 * Rejects with `refused` (`wireCode`: `no-route`, `route-failed`, `forbidden`, ...), `outcome-unknown`, `timeout` (nothing was done),
 * `closed`, `given-up`.
 */
export async function rpc<T = unknown>(
  client: Client,
  route: string,
  data: unknown,
  { timeoutMs = CLIENT_DEFAULTS.requestTimeoutMs, key = randomKey() }: RpcOptions = {},
): Promise<T> {
  const what = `call "${route}"`;
  const endMs = Date.now() + timeoutMs;
  let again = false;
  for (;;) {
    await within(endMs, client.ready(), what, again);
    const leftMs = Math.max(1, endMs - Date.now());
    const frame = { t: "rpc", m: route, k: key, d: data, timeoutMs: leftMs, ...(again ? { again } : {}) } as const;
    const asked = client.wire.ask(frame, leftMs);
    if (asked) {
      const answer = await asked.catch((error: unknown) => {
        if (!isClientError(error, "timeout")) throw error;
        again = true;
        return undefined;
      });
      // The wire carries JSON: that it is a T is the application's word.
      if (answer?.t === "rpc.ok") return answer.d as T;
      if (answer?.t === "err") {
        if (answer.code === "outcome-unknown") throw unknownOutcome(what);
        if (!isRetryable(answer.code)) throw refusal(what, answer);
        if (Date.now() + (answer.afterMs ?? 0) >= endMs) throw refusal(what, answer);
        await new Promise((wake) => setTimeout(wake, answer.afterMs || RETRY_MS));
        continue;
      }
    }
    if (Date.now() >= endMs) throw lateError(what, again);
    await new Promise((wake) => setTimeout(wake, RETRY_MS));
  }
}

function within<T>(endMs: number, promise: Promise<T>, what: string, again: boolean): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(lateError(what, again)), Math.max(0, endMs - Date.now()));
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function lateError(what: string, again: boolean): ClientError {
  return again ? unknownOutcome(what) : new ClientError("timeout", `cannot ${what}: there was no connection in time`);
}

function unknownOutcome(what: string): ClientError {
  return new ClientError("outcome-unknown", `cannot ${what}: no answer came; it may have been done`);
}

function randomKey(): string {
  // Not `crypto.randomUUID`, which pages without TLS do not have.
  return `${Math.random().toString(36).slice(2)}${Math.random().toString(36).slice(2)}`;
}
