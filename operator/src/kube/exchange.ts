// One logical request to the API server: deadline, pacing, waiting as told (429), reporting. Knows no verbs' meaning.
import { sleep, type Clock } from "../runtime/clock.ts";
import { fullBucket, takeTokens, type TokenBucket, type TokenBucketSpec } from "../runtime/token-bucket.ts";
import { transportError, type Connection, type HttpAnswer, type HttpRequest } from "./connection.ts";
import { startDeadline, type Deadline } from "./deadline.ts";
import { isKubeError, KubeError } from "./errors.ts";
import type { ObjectRef } from "./objects.ts";
import type { RequestOptions, RequestReport } from "./ports.ts";
import type { Resource } from "./resources.ts";
import { parseRetryAfter, parseStatusBody, statusError, type StatusBody } from "./status-answer.ts";

export type ExchangeOptions = {
  connection: Connection;
  clock: Clock;
  /** Upper bound on our own requests (watches excepted). None by default: the server's own fairness counts. */
  rateLimit?: TokenBucketSpec;
  onRequest?: (report: RequestReport) => void;
};

export type Query = Record<string, string | number | boolean | undefined>;

export type Call = {
  verb: string;
  method: HttpRequest["method"];
  resource: Resource | undefined;
  ref: Partial<ObjectRef>;
  subresource?: string | undefined;
  path: string;
  query?: Query;
  body?: unknown;
  contentType?: string;
  headers?: Readonly<Record<string, string>>;
  options: RequestOptions;
  /** Statuses that are an answer to this call, not a failure to be retried. */
  isFinal?: (body: StatusBody, status: number) => boolean;
};

const DEFAULT_TIMEOUT_MS = 30_000;
const TIMES_TO_WAIT = 4;
const DEFAULT_RETRY_AFTER_MS = 1000;

/** Errors of all methods: `KubeError` with a whole message. */
export class Exchange {
  readonly #options: ExchangeOptions;
  #bucket: TokenBucket | undefined;
  #writes = 0;

  constructor(options: ExchangeOptions) {
    this.#options = options;
  }

  get writeCount(): number {
    return this.#writes;
  }

  async json<T>(call: Call): Promise<T> {
    const text = await this.text(call);
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      throw new KubeError("BadResponse", `cannot ${describe(call)}: the answer is not JSON`, { cause });
    }
  }

  async text(call: Call): Promise<string> {
    const deadline = startDeadline(
      this.#options.clock,
      call.options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      call.options.signal,
    );
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          const answer = await this.#answer(call, deadline, deadline.signal);
          return await answer.body.text();
        } catch (error) {
          const failure = failureOf(call, error, deadline);
          const waitMs = waitBefore(call, failure, attempt);
          // Who cannot wait here gets the error with its retryAfterMs and can wait elsewhere.
          if (waitMs === undefined || waitMs >= deadline.remainingMs()) throw failure;
          await sleep(this.#options.clock, waitMs, deadline.signal);
          if (deadline.signal.aborted) throw failureOf(call, failure, deadline);
        }
      }
    } finally {
      deadline.release();
    }
  }

  /** One HTTP exchange; a refusal is thrown, its body read. */
  async #answer(call: Call, deadline: Deadline, signal: AbortSignal): Promise<HttpAnswer> {
    await this.#pace(call, deadline);
    const { clock, connection } = this.#options;
    const startedMs = clock.monotonicMs();
    const report = (status: number | string): void => this.#report(call, status, clock.monotonicMs() - startedMs);
    const headers: Record<string, string> = { ...call.headers };
    if (call.body !== undefined) headers["content-type"] = call.contentType ?? "application/json";
    const request: HttpRequest = {
      method: call.method,
      path: call.path + queryText(call.query),
      headers,
      body: call.body === undefined ? undefined : JSON.stringify(call.body),
      signal,
    };
    if (call.method !== "GET") this.#writes++;
    let answer: HttpAnswer;
    try {
      answer = await connection.send(request);
    } catch (error) {
      const failure = failureOf(call, error, deadline);
      report(failure.code);
      throw failure;
    }
    report(answer.status);
    if (answer.status >= 200 && answer.status < 300) return answer;
    const body = parseStatusBody(await answer.body.text());
    throw statusError(describe(call), answer.status, body, {
      retryAfterMs: parseRetryAfter(answer.headers["retry-after"], clock.nowMs()),
      isSecret: call.resource?.plural === "secrets",
      isFinal: call.isFinal?.(body, answer.status) ?? false,
    });
  }

  /** An answer whose body the caller reads for as long as it wants: the deadline covers the headers only, `abort` all. */
  async open(call: Call, abort: AbortController): Promise<HttpAnswer> {
    const deadline = startDeadline(this.#options.clock, DEFAULT_TIMEOUT_MS, abort.signal);
    const expire = (): void => abort.abort();
    deadline.signal.addEventListener("abort", expire, { once: true });
    try {
      return await this.#answer(call, deadline, abort.signal);
    } finally {
      deadline.signal.removeEventListener("abort", expire);
      deadline.release();
    }
  }

  async #pace(call: Call, deadline: Deadline): Promise<void> {
    const { rateLimit, clock } = this.#options;
    if (rateLimit === undefined || call.verb === "watch") return;
    for (;;) {
      const nowMs = clock.monotonicMs();
      const taken = takeTokens(this.#bucket ?? fullBucket(rateLimit, nowMs), rateLimit, nowMs, 1);
      this.#bucket = taken.bucket;
      if (taken.taken === 1) return;
      await sleep(clock, taken.retryAfterMs, deadline.signal);
      if (deadline.signal.aborted) throw failureOf(call, undefined, deadline);
    }
  }

  #report(call: Call, status: number | string, durationMs: number): void {
    try {
      this.#options.onRequest?.({
        verb: call.verb,
        resource: call.resource?.plural ?? "raw",
        subresource: call.subresource,
        status,
        durationMs,
        isWrite: call.method !== "GET",
      });
    } catch {
      // Metrics must not break requests.
    }
  }
}

/** How long to wait before the same request again; undefined when it must not be repeated here. */
function waitBefore(call: Call, failure: KubeError, attempt: number): number | undefined {
  if (failure.isFinal || attempt > TIMES_TO_WAIT) return undefined;
  // 429 means "not executed", so it is safe for writes too.
  if (failure.code === "TooManyRequests") return failure.retryAfterMs ?? DEFAULT_RETRY_AFTER_MS * attempt;
  if (call.method !== "GET") return undefined;
  // The server said when to come back.
  if (failure.code === "ServerError" && failure.retryAfterMs !== undefined) return failure.retryAfterMs;
  // A kept-alive connection that the server closed just as we used it.
  if (failure.code === "Unreachable" && attempt === 1) return 0;
  return undefined;
}

function failureOf(call: Call, error: unknown, deadline: Deadline): KubeError {
  if (deadline.isExpired)
    return new KubeError("Timeout", `cannot ${describe(call)}: no answer in time`, { cause: error });
  if (isKubeError(error) && error.message.startsWith("cannot ")) return error;
  const failure = transportError(error, deadline.signal);
  return new KubeError(failure.code, `cannot ${describe(call)}: ${failure.message}`, { cause: failure.cause });
}

export function describe(call: Call): string {
  const name = [call.ref.namespace, call.ref.name].filter((part) => part !== undefined).join("/");
  const what = [call.resource?.plural, call.subresource].filter((part) => part !== undefined).join("/");
  return [call.verb, what, name].filter((part) => part !== "").join(" ");
}

function queryText(query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value));
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}
