// Small JSON requests to pods over node:http with keep-alive and a hard time limit. Not here: what is asked.
import { Agent, request } from "node:http";

export type JsonAnswer = { readonly status: number; readonly body: unknown };

export type JsonRequest = {
  readonly method: "GET" | "POST";
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
};

export type JsonSender = (options: JsonRequest) => Promise<JsonAnswer>;

export class PodRequestError extends Error {
  readonly code: "timeout" | "unreachable" | "bad-answer" | "aborted";
  constructor(code: PodRequestError["code"], message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** A pod that answers more than this is not speaking the contract. */
const MAX_BODY_BYTES = 1024 * 1024;

/** One keep-alive pool; `close` ends its sockets. */
export function createJsonSender(): { send: JsonSender; close: () => void } {
  const agent = new Agent({ keepAlive: true, maxSockets: 2, maxFreeSockets: 1, timeout: 30_000 });
  return { send: (options) => sendJson(agent, options), close: () => agent.destroy() };
}

function sendJson(agent: Agent, options: JsonRequest): Promise<JsonAnswer> {
  const { method, host, port, path, timeoutMs } = options;
  const where = `${method} ${path} at ${host}:${port}`;
  return new Promise((resolve, reject) => {
    const limit = AbortSignal.timeout(timeoutMs);
    const signal = options.signal === undefined ? limit : AbortSignal.any([limit, options.signal]);
    const fail = (error: unknown): void => {
      if (options.signal?.aborted === true)
        reject(new PodRequestError("aborted", `cannot finish ${where}: stopped`, error));
      else if (limit.aborted)
        reject(new PodRequestError("timeout", `cannot finish ${where} within ${timeoutMs} ms`, error));
      else
        reject(
          error instanceof PodRequestError
            ? error
            : new PodRequestError("unreachable", unreachable(where, error), error),
        );
    };
    const headers = { accept: "application/json", ...options.headers };
    const outgoing = request({ agent, host, port, path, method, headers, signal }, (incoming) => {
      const chunks: Buffer[] = [];
      let size = 0;
      incoming.on("data", (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > MAX_BODY_BYTES)
          incoming.destroy(new PodRequestError("bad-answer", `the answer to ${where} is too long`));
      });
      incoming.on("error", fail);
      incoming.on("end", () => {
        try {
          resolve({ status: incoming.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString("utf8")) });
        } catch (error) {
          fail(new PodRequestError("bad-answer", `the answer to ${where} is not JSON`, error));
        }
      });
    });
    outgoing.on("error", fail);
    outgoing.end(options.body);
  });
}

function unreachable(where: string, error: unknown): string {
  return `cannot reach ${where}: ${error instanceof Error ? error.message : String(error)}`;
}
