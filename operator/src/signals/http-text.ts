// One scrape over node:http: keep-alive, a hard time limit, a bounded body, no compression. The body is handed on chunk by
// chunk. Not here: when to scrape (scraper.ts).
import { Agent, request, type IncomingMessage } from "node:http";
import { StringDecoder } from "node:string_decoder";
import type { Clock } from "../runtime/index.ts";

export type ScrapeTarget = {
  readonly uid: string;
  readonly host: string;
  readonly port: number;
  readonly path: string;
};

export type TextRequest = {
  readonly target: ScrapeTarget;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** Called once, before any text. */
  readonly onStart: (contentType: string | undefined) => void;
  /** False = enough: the rest is not fetched. */
  readonly onText: (chunk: string) => boolean;
  readonly signal?: AbortSignal;
};

/** Resolves when the text ended, with the reason when it did not end well; never rejects. */
export type TextFetcher = (options: TextRequest) => Promise<string | undefined>;

/** Room for new formats; what is no Prometheus text fails in the parser. */
const ACCEPT = "text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0;q=0.5";

export function createTextFetcher(clock: Clock): { fetch: TextFetcher; close: () => void } {
  // One socket a pod: a scrape is never begun while the one before runs.
  const agent = new Agent({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 });
  const fetch: TextFetcher = async (options) => {
    const first = await fetchText(agent, clock, options);
    // A pod may close an idle socket in the moment in which it is used again; that says nothing of the pod.
    return first === STALE_SOCKET ? await fetchText(agent, clock, options) : first;
  };
  return { fetch, close: () => agent.destroy() };
}

const STALE_SOCKET = "the idle connection was closed";

function fetchText(agent: Agent, clock: Clock, options: TextRequest): Promise<string | undefined> {
  const { target, timeoutMs, maxBytes, onStart, onText, signal } = options;
  return new Promise((resolve) => {
    let isDone = false;
    const headers = { accept: ACCEPT, "accept-encoding": "identity" };
    const outgoing = request({ agent, host: target.host, port: target.port, path: target.path, headers });
    const finish = (why: string | undefined): void => {
      if (isDone) return;
      isDone = true;
      deadline.cancel();
      signal?.removeEventListener("abort", onAbort);
      if (why !== undefined) outgoing.destroy();
      resolve(why);
    };
    const onAbort = (): void => finish("stopped");
    // Over the whole exchange: a body that trickles for ever is as dead as one that never begins.
    const deadline = clock.startTimer(timeoutMs, () => finish(`no full answer within ${timeoutMs} ms`));
    if (signal?.aborted === true) {
      finish("stopped");
      return;
    }
    signal?.addEventListener("abort", onAbort, { once: true });
    let hasAnswer = false;
    outgoing.on("error", (error: NodeJS.ErrnoException) => {
      const isStale = !hasAnswer && outgoing.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE");
      finish(isStale ? STALE_SOCKET : (error.code ?? error.message));
    });
    outgoing.on("response", (incoming) => {
      hasAnswer = true;
      const trouble = troubleOf(incoming);
      if (trouble !== undefined) {
        finish(trouble);
        return;
      }
      onStart(incoming.headers["content-type"]);
      const decoder = new StringDecoder("utf8");
      let bytes = 0;
      incoming.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > maxBytes) finish(`the answer is longer than ${maxBytes} bytes`);
        else if (!isDone && !onText(decoder.write(chunk))) finish("the answer is over a limit");
      });
      incoming.on("error", (error: NodeJS.ErrnoException) => finish(error.code ?? error.message));
      incoming.on("end", () => finish(incoming.complete ? undefined : "the answer was cut"));
      incoming.on("close", () => finish("the answer was cut"));
    });
    outgoing.end();
  });
}

function troubleOf(incoming: IncomingMessage): string | undefined {
  if (incoming.statusCode !== 200) return `it answers ${incoming.statusCode ?? 0}`;
  const encoding = incoming.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") return `it answers in ${encoding}, which was not asked for`;
  return undefined;
}
