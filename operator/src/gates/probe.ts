// One visit of the synthetic client at one pod: connect, hello, subscribe, publish, receive, unsubscribe, close. Not here: when,
// how often and at whom (synthetic.ts).
import { request } from "node:http";
import { signProbe } from "@wscluster/platform";
import { PROBE_HEADER, PROBE_IDENTITY, SUBPROTOCOL } from "@wscluster/protocol";

export type ProbeTarget = {
  readonly host: string;
  readonly port: number;
  /** URL path of the WebSocket endpoint. */
  readonly path: string;
  readonly podUid: string;
  readonly bootNonce: string;
};

export type ProbeOutcome =
  | { readonly kind: "served"; readonly ms: number }
  /** It answered, and not as a server does that users could be led to. */
  | { readonly kind: "failed"; readonly why: string }
  /** Nobody answered: that may be the network between the operator and the pod. */
  | { readonly kind: "unreachable"; readonly why: string };

export type ProbeOptions = {
  readonly target: ProbeTarget;
  readonly key: string;
  /** At least 16 characters that were never used with this pod. */
  readonly nonce: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
};

export type Prober = (options: ProbeOptions) => Promise<ProbeOutcome>;

/** Node.js takes headers for a WebSocket beside the options of browsers. */
type SocketInit = { readonly protocols: readonly string[]; readonly headers: Readonly<Record<string, string>> };
type Frame = Readonly<Record<string, unknown>>;

const STEPS = ["connect", "hello", "subscribe", "publish", "receive", "unsubscribe", "close"] as const;
type Step = (typeof STEPS)[number];

export async function probePod(options: ProbeOptions): Promise<ProbeOutcome> {
  const { target, timeoutMs } = options;
  if (options.signal?.aborted === true) return { kind: "unreachable", why: "stopped" };
  const startedMs = performance.now();
  const visit = await visitPod(options);
  if (visit.kind === "done") return { kind: "served", ms: Math.round(performance.now() - startedMs) };
  if (visit.at !== "connect") return { kind: "failed", why: `${visit.at}: ${visit.why}` };
  // A WebSocket does not say why it was refused; the same request without one does.
  const status = await statusOf(target, Math.min(timeoutMs, 2_000), options.signal);
  if (typeof status === "number") return { kind: "failed", why: `its client port answers the upgrade with ${status}` };
  return { kind: "unreachable", why: status };
}

type Visit = { readonly kind: "done" } | { readonly kind: "ended"; readonly at: Step; readonly why: string };

function visitPod({ target, key, nonce, timeoutMs, signal }: ProbeOptions): Promise<Visit> {
  const { host, port, path, podUid, bootNonce } = target;
  const init: SocketInit = {
    protocols: [SUBPROTOCOL],
    headers: { [PROBE_HEADER]: signProbe(key, { podUid, bootNonce, nonce }) },
  };
  return new Promise((resolve) => {
    let step: Step = "connect";
    const socket = new WebSocket(`ws://${hostText(host)}:${port}${path}`, toSocketInit(init));
    const end = (visit: Visit): void => {
      clearTimeout(limit);
      signal?.removeEventListener("abort", onAbort);
      // Nothing of it may come after its end.
      socket.onmessage = socket.onerror = socket.onclose = null;
      if (socket.readyState < WebSocket.CLOSING) socket.close();
      resolve(visit);
    };
    const fail = (why: string): void => end({ kind: "ended", at: step, why });
    const limit = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);
    const onAbort = (): void => fail("stopped");
    signal?.addEventListener("abort", onAbort, { once: true });
    const go = (next: Step, frame: Frame): void => {
      step = next;
      socket.send(JSON.stringify(frame));
    };
    socket.onopen = () => go("hello", { t: "hello", producer: { id: nonce, gen: 1 }, caps: [] });
    socket.onerror = () => fail("the connection cannot be made");
    socket.onclose = ({ code }) =>
      step === "close" && code === 1_000 ? end({ kind: "done" }) : fail(`closed with ${code}`);
    socket.onmessage = ({ data }) => {
      const frame = frameOf(data);
      if (frame === undefined) return fail("it sends what is no frame");
      if (frame["t"] === "err") return fail(`it answers ${String(frame["code"])}`);
      if (frame["t"] === "ping") return socket.send(JSON.stringify({ t: "pong" }));
      if (step === "hello" && frame["t"] === "welcome") {
        if (frame["tenant"] !== PROBE_IDENTITY.tenant) return fail("it does not know the operator's client");
        go("subscribe", { t: "sub", i: 1, c: nonce });
      } else if (step === "subscribe" && frame["t"] === "sub.ok") {
        go("publish", { t: "pub", i: 2, c: nonce, s: 1, d: { probe: nonce } });
      } else if (step === "publish" && frame["t"] === "pub.ok") {
        step = "receive";
      } else if (frame["t"] === "pub" && frame["c"] === nonce) {
        hasReceived = JSON.stringify(frame["d"]) === JSON.stringify({ probe: nonce });
        if (!hasReceived) return fail("its publication came back changed");
      }
      // The publication may come before its acknowledgement.
      if (step === "receive" && hasReceived) go("unsubscribe", { t: "unsub", i: 3, c: nonce });
      else if (step === "unsubscribe" && frame["t"] === "unsub.ok") {
        step = "close";
        socket.close(1_000);
      }
    };
    let hasReceived = false;
  });
}

/** The types know only what browsers have. */
function toSocketInit(init: SocketInit): string[] {
  return init as unknown as string[];
}

function hostText(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

function frameOf(data: unknown): Frame | undefined {
  if (typeof data !== "string") return undefined;
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value))
      : undefined;
  } catch {
    return undefined;
  }
}

/** The HTTP status with which the upgrade is answered, or why nobody answered. */
function statusOf(target: ProbeTarget, timeoutMs: number, signal: AbortSignal | undefined): Promise<number | string> {
  const limit = AbortSignal.timeout(timeoutMs);
  return new Promise((resolve) => {
    const outgoing = request({
      host: target.host,
      port: target.port,
      path: target.path,
      agent: false,
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
      headers: {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "d3NjbHVzdGVyLXByb2JlLg==",
        "sec-websocket-protocol": SUBPROTOCOL,
        // Used up or wrong: a pod that knows probes refuses it before it is anybody's connection.
        [PROBE_HEADER]: "status",
      },
    });
    const finish = (answer: number | string): void => {
      outgoing.destroy();
      resolve(answer);
    };
    outgoing.on("response", (response) => finish(response.statusCode ?? 0));
    outgoing.on("upgrade", (_response, socket) => {
      socket.destroy();
      finish(101);
    });
    outgoing.on("error", (error: NodeJS.ErrnoException) =>
      finish(limit.aborted ? `no answer within ${timeoutMs} ms` : (error.code ?? error.message)),
    );
    outgoing.end();
  });
}
