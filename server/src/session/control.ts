// What pods tell each other about sessions: that one went on elsewhere, and whether one is in use. Not here: what a socket then does.

import type { Broker, ControlMessage, SessionRow } from "../broker/port.ts";
import type { Connection } from "./connection.ts";
import type { Registry } from "./registry.ts";

/** A pod that does not answer within this time is no reason to keep its client waiting. */
const ANSWER_MS = 500;
/** Visits of the heartbeat without a byte from the client after which nobody counts on it any more. */
const SILENT_VISITS = 2;

/** True if the socket is open and its client was heard within two heartbeats. */
export function isInUse(connection: Connection | undefined): boolean {
  if (!connection || connection.state !== "ready") return false;
  return connection.socket.isOpen && connection.socket.silentVisits < SILENT_VISITS;
}

export class Control {
  readonly #podKey: string;
  readonly #broker: Broker;
  readonly #registry: Registry;
  readonly #asking = new Map<string, Set<(live: boolean) => void>>();

  constructor(podKey: string, broker: Broker, registry: Registry) {
    this.#podKey = podKey;
    this.#broker = broker;
    this.#registry = registry;
  }

  onMessage(message: ControlMessage): void {
    const { session, g, pod } = message;
    if (message.kind === "answer") {
      for (const resolve of this.#asking.get(session) ?? []) resolve(message.live);
      return;
    }
    const connection = this.#registry.sessions.get(session);
    if (message.kind === "ask") {
      const live = isInUse(connection);
      this.#broker.tell(pod, { kind: "answer", session, g, pod: this.#podKey, live });
    } else if (connection?.row && connection.row.g < g) connection.leave(message.kind);
  }

  /** Is the session in use on a socket of its owner? False also when the owner does not answer. */
  async isLive({ id, g, owner }: SessionRow): Promise<boolean> {
    if (owner === this.#podKey) return isInUse(this.#registry.sessions.get(id));
    const waiting = this.#asking.get(id) ?? new Set();
    this.#asking.set(id, waiting);
    let resolve: (live: boolean) => void = () => {};
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<boolean>((settle) => {
        resolve = settle;
        waiting.add(settle);
        timer = setTimeout(() => settle(false), ANSWER_MS);
        this.#broker.tell(owner, { kind: "ask", session: id, g, pod: this.#podKey });
      });
    } finally {
      clearTimeout(timer);
      waiting.delete(resolve);
      if (waiting.size === 0) this.#asking.delete(id);
    }
  }
}
