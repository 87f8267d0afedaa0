// The operator's synthetic client: an ordinary conversation under an identity and in a tenant that nobody else can have. It takes the
// ways that users take (session, streams, store) and is in none of their numbers. Not here: who may open one (auth/probe-gate.ts).

import { CLOSE_CODES, PROBE_IDENTITY } from "@wscluster/protocol";
import type { SERVER_METRICS } from "@wscluster/protocol";
import type { Metrics } from "@wscluster/platform";
import type { ClientSocket } from "../transport/client-socket.ts";
import { Connection } from "./connection.ts";
import type { SessionContext } from "./context.ts";

/** Whatever becomes of its operator, a probe ends. */
const LIFE_MS = 30_000;

const UNCOUNTED: Metrics<keyof typeof SERVER_METRICS> = {
  add() {},
  set() {},
  observe() {},
  remove() {},
  text: () => Promise.resolve(""),
  contentType: "text/plain",
};

/** What a probe sees of its pod. */
export function probeContextFor(context: SessionContext): SessionContext {
  const { limits: _none, onMessage: _uncounted, tracing: _untraced, ...rest } = context;
  return {
    ...rest,
    metrics: UNCOUNTED,
    identify: () => Promise.resolve({ ok: true, identity: PROBE_IDENTITY }),
  };
}

export class ProbeConnection extends Connection {
  readonly #life: NodeJS.Timeout;

  /** @param context of `probeContextFor`. */
  constructor(socket: ClientSocket, context: SessionContext, helloDeadlineMs: number) {
    super(socket, context, helloDeadlineMs);
    context.registry.probes.add(this);
    this.#life = setTimeout(() => this.socket.close(CLOSE_CODES.normal.code, "probe"), LIFE_MS).unref();
  }

  /** It is nobody's session: not counted, not moved, not present. */
  override hold(): void {}

  override onClosed(code: number): void {
    clearTimeout(this.#life);
    this.context.registry.probes.delete(this);
    super.onClosed(code);
  }
}
