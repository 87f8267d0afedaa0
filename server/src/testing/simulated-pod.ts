// A pod without ports: the real session, hub, mover and heartbeat over sockets that a simulation carries. With faked timers nothing
// in it waits for the real world. Not here: HTTP, the contract (pod.ts has them), the network (the simulation's).

import type { Socket } from "node:net";
import { NAMED_ARRIVAL, SERVER_METRICS, WIRE_DEFAULTS } from "@wscluster/protocol";
import type { IntentId } from "@wscluster/protocol";
import { createLogger, createMetrics, signTicket, verifyTicket } from "@wscluster/platform";
import { Services } from "../app/services.ts";
import { MemoryBroker } from "../broker/memory.ts";
import type { MemoryBrokerOptions, MemoryStore } from "../broker/memory.ts";
import { Mover } from "../drain/mover.ts";
import { ReceiptLedger } from "../drain/receipt-ledger.ts";
import { Hub } from "../hub/hub.ts";
import { Connection } from "../session/connection.ts";
import { Control } from "../session/control.ts";
import type { SessionContext } from "../session/context.ts";
import { Presence } from "../presence/presence.ts";
import { Registry } from "../session/registry.ts";
import { Carrier, ClientSocket, DEFAULT_MARKS } from "../transport/client-socket.ts";
import { HeartbeatWheel } from "../transport/heartbeat.ts";
import { OutputTick } from "../transport/tick.ts";
import { framesOf } from "../transport/wire-frame.ts";

const TICKET_KEYS = ["simulated-ticket-key"];
const STEP_MS = 20;
const POLL_MS = 1_000;
const BEAT_MS = 2_000;

/** What a socket's other end hears. */
export interface SimulatedPeer {
  onText(text: string): void;
  onClose(code: number, reason: string): void;
}

/** One accepted socket, as the network holds it. */
export interface SimulatedSocket {
  text(text: string): void;
  /** The client closed, or the connection broke (1006). */
  close(code: number): void;
}

export type SimulatedPodOptions = {
  readonly key: string;
  readonly store: MemoryStore;
  readonly drops?: MemoryBrokerOptions["drops"];
  readonly heartbeatMs?: number;
  readonly sessionTtlMs?: number;
};

class SimulatedCarrier extends Carrier {
  readonly #peer: SimulatedPeer;
  #ended = false;

  constructor(peer: SimulatedPeer) {
    // As ws makes the server's end itself.
    super(null as unknown as string, undefined, {});
    this.#peer = peer;
  }

  override close(code = 1005, reason = ""): void {
    this.end(code, () => this.#peer.onClose(code, String(reason)));
  }

  override terminate(): void {
    this.end(1006, () => this.#peer.onClose(1006, ""));
  }

  end(code: number, tell: () => void = () => {}): void {
    if (this.#ended) return;
    this.#ended = true;
    tell();
    this.emit("close", code, Buffer.alloc(0));
  }

  override pause(): void {}
  override resume(): void {}
}

export class SimulatedPod {
  readonly key: string;
  readonly registry = new Registry();
  readonly mover: Mover;
  readonly hub: Hub;
  readonly #broker: MemoryBroker;
  readonly #context: SessionContext;
  readonly #tick = new OutputTick();
  readonly #wheel = new HeartbeatWheel();
  readonly #ledger: ReceiptLedger;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #sockets = new Set<SimulatedCarrier>();
  readonly #heartbeatMs: number;
  #needsResync = false;
  #polling = false;
  isDead = false;
  /** The store answered once. No edge leads anybody to a pod before. */
  isReady = false;

  constructor({ key, store, drops, heartbeatMs = 20_000, sessionTtlMs = 120_000 }: SimulatedPodOptions) {
    this.key = key;
    this.#heartbeatMs = heartbeatMs;
    const history = { maxLength: 100_000, ttlMs: 3_600_000 };
    this.#broker = new MemoryBroker({
      store,
      ...(drops ? { drops } : {}),
      policy: () => ({ history, metaTtlMs: 86_400_000, sessionMaxAgeMs: 86_400_000 }),
    });
    this.#ledger = new ReceiptLedger(this.#broker, key);
    this.hub = new Hub(this.#broker, {
      now: () => Date.now(),
      markDirty: (channel) => this.#tick.markChannel(channel),
      onDelivered: () => {},
      onGap: () => {},
    });
    this.mover = new Mover({
      podKey: key,
      registry: this.registry,
      ledger: this.#ledger,
      signTicket: (ticket) => signTicket(TICKET_KEYS[0] ?? "", ticket),
      now: () => Date.now(),
      random: () => Math.random(),
      onOutcome: () => {},
      isFinal: () => false,
    });
    const settings = () => ({ generation: 1, maxPerPod: 10_000, sessionTtlMs, heartbeatMs, history });
    const log = createLogger("silent");
    const parts = { anonymous: true, broker: this.#broker, log, settings };
    this.#context = {
      podKey: key,
      hasLease: () => true,
      broker: this.#broker,
      hub: this.hub,
      ...new Services(parts, this.hub, this.registry, Date.now).context,
      registry: this.registry,
      presence: new Presence(this.#broker, key),
      control: new Control(key, this.#broker, this.registry),
      moves: this.mover,
      settings,
      checkTicket: (text) => verifyTicket(TICKET_KEYS, text),
      now: () => Date.now(),
      metrics: createMetrics(SERVER_METRICS, false),
      log,
      pace: () => undefined,
    };
  }

  async start(): Promise<void> {
    await this.#broker.start({
      publication: (publication) => this.hub.onPublication(publication),
      ephemeral: (stream, user, data) => this.hub.onEphemeral(stream, user, data),
      control: (message) => this.#context.control.onMessage(message),
      presence: (event) => this.#context.presence.onEvent(event),
      resync: () => {
        this.#needsResync = true;
        this.#context.presence.resync();
        void this.#poll();
      },
    });
    await this.#beat();
    this.#wheel.start(() => this.#heartbeatMs);
    this.#timers.push(
      setInterval(() => this.mover.step(), STEP_MS),
      setInterval(() => void this.#poll(), POLL_MS),
      setInterval(() => void this.#beat(), BEAT_MS),
    );
  }

  /** What the upgrade does: `undefined` for an arrival that this pod would refuse. */
  accept(url: URL, peer: SimulatedPeer): SimulatedSocket | undefined {
    const pod = url.searchParams.get(NAMED_ARRIVAL.pod);
    const ticket = url.searchParams.get(NAMED_ARRIVAL.ticket);
    if (this.isDead || !this.isReady || (pod !== null && pod !== this.key)) return undefined;
    if (pod !== null && (ticket === null || !verifyTicket(TICKET_KEYS, ticket))) return undefined;
    const carrier = new SimulatedCarrier(peer);
    const tcp = new SimulatedTcp((text) => peer.onText(text));
    const arrival = { named: pod !== null, plain: false, edge: "" };
    const socket = new ClientSocket(carrier, tcp as unknown as Socket, this.#tick, DEFAULT_MARKS, arrival);
    new Connection(socket, this.#context, WIRE_DEFAULTS.helloDeadlineMs);
    this.#sockets.add(carrier);
    this.#wheel.add(socket);
    carrier.on("close", () => {
      this.#wheel.remove(socket);
      this.#sockets.delete(carrier);
    });
    return {
      text: (text) => {
        tcp.bytesRead += text.length;
        if (!this.isDead) carrier.emit("message", Buffer.from(text), false);
      },
      close: (code) => carrier.end(code),
    };
  }

  /** Asks the session's connection to move, as a grant would. */
  forceMove(session: string, target: string, deadlineMs: number, intent: IntentId = "rebalance/simulated"): boolean {
    const connection = this.registry.sessions.get(session);
    return connection !== undefined && this.mover.ask(connection, target, { intent, deadlineMs }) !== undefined;
  }

  /** `kill -9`: nobody is told but by the broken connections. */
  kill(): void {
    this.isDead = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#wheel.stop();
    this.#context.presence.stop();
    for (const { socket } of this.registry.all) socket.owner = undefined;
    for (const carrier of [...this.#sockets]) carrier.terminate();
    void this.#broker.stop();
  }

  async #poll(): Promise<void> {
    if (this.#polling || this.isDead) return;
    this.#polling = true;
    try {
      const all = this.#needsResync;
      const changed = await (all ? this.#broker.moved(this.hub) : this.#broker.changed(this.hub));
      if (all) this.#needsResync = false;
      const streams = new Set([...changed, ...this.hub.suspects()]);
      if (streams.size > 0) await this.hub.verify(streams);
    } catch {
      // The store is away: the next poll looks again.
    } finally {
      this.#polling = false;
    }
  }

  async #beat(): Promise<void> {
    if (this.isDead) return;
    try {
      const connections = this.registry.sessions.size;
      const { key } = this;
      const entry = { mode: "active", sealed: false, terminating: false, gone: false, capacity: 10_000 } as const;
      await this.#broker.beat({ key, connections, ...entry });
      this.isReady = true;
    } catch {
      // The lease ages.
    }
  }
}

/** The part of a TCP socket that `ClientSocket` writes to. Frames arrive whole: `ClientSocket` writes whole ones. */
class SimulatedTcp {
  bytesRead = 0;
  bytesWritten = 0;
  readonly writableLength = 0;
  readonly #onText: (text: string) => void;

  constructor(onText: (text: string) => void) {
    this.#onText = onText;
  }

  on(): this {
    return this;
  }

  cork(): void {}

  uncork(): void {}

  write(chunk: Buffer): boolean {
    this.bytesWritten += chunk.length;
    for (const { isText, payload } of framesOf(chunk)) if (isText) this.#onText(payload.toString());
    return true;
  }
}
