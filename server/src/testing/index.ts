// Servers inside a test's process. Not here: clients (the SDK, or raw sockets).

import { SUBPROTOCOL } from "@wscluster/protocol";
import type { IntentId, PodState } from "@wscluster/protocol";
import { MemoryBroker, MemoryStore } from "../broker/memory.ts";
import type { MemoryBrokerOptions } from "../broker/memory.ts";
import type { Broker } from "../broker/port.ts";
import { createServer } from "../create-server.ts";
import type { CreateServerOptions } from "../create-server.ts";
import type { Pod } from "../pod.ts";

export { MemoryBroker, MemoryStore } from "../broker/memory.ts";
export { SimulatedPod } from "./simulated-pod.ts";
export type { SimulatedPeer, SimulatedSocket } from "./simulated-pod.ts";
export { SUBPROTOCOL };

export const TEST_ADMIN_KEY = "test-admin-key-0123456789";
export const TEST_TICKET_KEY = "test-ticket-key-0123456789";

export type StartServerOptions = Omit<CreateServerOptions, "broker"> & {
  /** A store that several servers share, or a broker of your own. */
  readonly broker?: Broker | MemoryStore;
  /** Faults of a memory broker. */
  readonly drops?: MemoryBrokerOptions["drops"];
};

export type TestServer = {
  /** `ws://127.0.0.1:PORT/ws`. */
  readonly url: string;
  readonly adminUrl: string;
  readonly podKey: string;
  readonly pod: Pod;
  state(): Promise<PodState>;
  /** Sessions held now. */
  sessions(): readonly string[];
  /** Sends `migrate` for the session to the server `target`, as a grant would. The move's id, or `undefined` when it is not held here. */
  forceMove(
    session: string,
    target: TestServer,
    options?: { readonly deadlineMs?: number; readonly intent?: IntentId },
  ): string | undefined;
  /** Breaks the session's TCP connection without a close frame. */
  breakSocket(session: string): void;
  /** Ends as on SIGTERM: moves clients to the other servers of the same store, then cuts. */
  terminate(): Promise<void>;
  /** Ends as on `kill -9`: no handler runs, nothing is said to the store. */
  kill(): Promise<void>;
  /** Closes everything, in order. */
  stop(): Promise<void>;
};

/**
 * Starts a server on free ports of 127.0.0.1. Give two servers the same `MemoryStore` and clients can move between them.
 * @example
 * const store = new MemoryStore();
 * const [a, b] = await Promise.all([startServer({ broker: store }), startServer({ broker: store })]);
 */
export async function startServer(options: StartServerOptions = {}): Promise<TestServer> {
  const { broker, drops, ...rest } = options;
  const store = broker instanceof MemoryStore ? broker : undefined;
  const history = rest.settings?.history ?? { maxLength: 1_000, ttlMs: 300_000 };
  const memory = new MemoryBroker({
    ...(store ? { store } : {}),
    ...(drops ? { drops } : {}),
    policy: () => ({
      history,
      namespaces: rest.settings?.namespaces,
      metaTtlMs: 86_400_000,
      sessionMaxAgeMs: 86_400_000,
    }),
  });
  const pod = createServer({
    host: "127.0.0.1",
    adminKeys: [TEST_ADMIN_KEY],
    ticketKeys: [TEST_TICKET_KEY],
    terminationMs: 2_000,
    pollMs: 200,
    logLevel: "silent",
    ...rest,
    broker: broker === undefined || broker instanceof MemoryStore ? memory : broker,
  });
  await pod.start();
  return {
    url: `ws://127.0.0.1:${pod.port}${rest.path ?? "/ws"}`,
    adminUrl: `http://127.0.0.1:${pod.adminPort}`,
    podKey: pod.podKey,
    pod,
    state: () => pod.state(),
    sessions: () => [...pod.registry.sessions.keys()],
    forceMove(session, target, { deadlineMs = 10_000, intent = "rebalance/test" } = {}) {
      const connection = pod.registry.sessions.get(session);
      return connection && pod.forceMove(connection, target.podKey, { intent, deadlineMs });
    },
    breakSocket: (session) => pod.registry.sessions.get(session)?.socket.terminate(),
    terminate: () => pod.terminate(),
    kill: () => pod.kill(),
    stop: () => pod.stop(),
  };
}
