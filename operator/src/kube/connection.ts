// One pooled HTTP agent to the API server with fresh credentials on each request. Knows no Kubernetes paths or bodies.
import { createHash } from "node:crypto";
import { Agent, ProxyAgent, type Dispatcher } from "undici";
import type { Clock } from "../runtime/clock.ts";
import type { ClusterAccess, Credentials, TlsMaterial } from "./config.ts";
import { isKubeError, KubeError } from "./errors.ts";

export type HttpRequest = {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With query. */
  path: string;
  headers: Record<string, string>;
  body?: string | undefined;
  signal: AbortSignal;
};

export type HttpAnswer = {
  status: number;
  headers: Dispatcher.ResponseData["headers"];
  body: Dispatcher.ResponseData["body"];
};

// Credentials are read again after this: a rotated token file or CA is picked up without a restart.
const CREDENTIALS_MAX_AGE_MS = 10_000;
const CONNECT_TIMEOUT_MS = 10_000;
// Below the API server's and common load balancers' idle limits, so that we close first.
const KEEP_ALIVE_MS = 30_000;

export class Connection {
  readonly #access: ClusterAccess;
  readonly #clock: Clock;
  #agent: Dispatcher | undefined;
  #agentKey = "";
  #credentials: { value: Promise<Credentials>; atMs: number } | undefined;
  #closed = false;

  constructor(access: ClusterAccess, clock: Clock) {
    this.#access = access;
    this.#clock = clock;
  }

  get server(): string {
    return this.#access.server;
  }

  /** @throws KubeError Unreachable, Timeout, BadConfig; Aborted when `signal` aborted (the caller knows why). */
  async send(request: HttpRequest): Promise<HttpAnswer> {
    const first = await this.#once(request);
    if (first.status !== 401) return first;
    // The token may have been rotated since it was read: one more try with a fresh one.
    await first.body.dump();
    this.#credentials = undefined;
    return this.#once(request);
  }

  /** Closes idle connections; running requests are cut. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#agent?.destroy();
  }

  async #once(request: HttpRequest): Promise<HttpAnswer> {
    const { headers, tls } = await this.#freshCredentials();
    if (this.#closed) throw new KubeError("Aborted", "cannot send a request: the connection is closed");
    const url = new URL(this.#access.server);
    const prefix = url.pathname.replace(/\/+$/, "");
    try {
      const answer = await this.#agentFor(tls).request({
        origin: url.origin,
        path: prefix + request.path,
        method: request.method,
        headers: { accept: "application/json", "user-agent": "wscluster-operator", ...headers, ...request.headers },
        body: request.body ?? null,
        signal: request.signal,
      });
      return { status: answer.statusCode, headers: answer.headers, body: answer.body };
    } catch (error) {
      throw transportError(error, request.signal);
    }
  }

  #freshCredentials(): Promise<Credentials> {
    const nowMs = this.#clock.monotonicMs();
    const present = this.#credentials;
    if (present !== undefined && nowMs - present.atMs < CREDENTIALS_MAX_AGE_MS) return present.value;
    const value = this.#access.credentials();
    const entry = { value, atMs: nowMs };
    this.#credentials = entry;
    value.catch(() => {
      // A failed read is not kept: the next request tries again.
      if (this.#credentials === entry) this.#credentials = undefined;
    });
    return value;
  }

  // One agent for all requests; a new one only when CA or client certificate changed. The old one ends its requests.
  #agentFor(tls: TlsMaterial): Dispatcher {
    const key = createHash("sha256").update(JSON.stringify(tls, pemAsText)).digest("hex");
    if (this.#agent !== undefined && key === this.#agentKey) return this.#agent;
    void this.#agent?.close();
    this.#agent = newAgent(this.#access.proxyUrl, tls);
    this.#agentKey = key;
    return this.#agent;
  }
}

function newAgent(proxyUrl: string | undefined, tls: TlsMaterial): Dispatcher {
  // Timeouts are the client's own (a watch may be silent for minutes): undici's are off.
  const shared = { headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS, pipelining: 1, allowH2: false };
  const connect = { ...tls, timeout: CONNECT_TIMEOUT_MS, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
  if (proxyUrl === undefined) return new Agent({ ...shared, connect });
  if (!/^https?:/.test(proxyUrl)) {
    throw new KubeError(
      "BadConfig",
      "cannot use the kubeconfig's proxy-url: only http and https proxies are supported",
    );
  }
  return new ProxyAgent({ ...shared, uri: proxyUrl, requestTls: connect });
}

function pemAsText(_key: string, value: unknown): unknown {
  return Buffer.isBuffer(value) ? value.toString("base64") : value;
}

/** Undici's and Node's errors as ours. */
export function transportError(error: unknown, signal: AbortSignal): KubeError {
  if (isKubeError(error)) return error;
  if (signal.aborted) return new KubeError("Aborted", "the request was aborted", { cause: error });
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const text = error instanceof Error ? error.message : String(error);
  const isTimeout = code.includes("TIMEOUT") || code === "ETIMEDOUT";
  return new KubeError(isTimeout ? "Timeout" : "Unreachable", code === "" ? text : `${text} (${code})`, {
    cause: error,
  });
}
