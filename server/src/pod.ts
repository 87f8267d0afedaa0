// One pod: builds the parts, runs their timers, ends in order. Not here: configuration (config.ts), signals (main.ts).

import { randomBytes, randomUUID } from "node:crypto";
import {
  FORMAT_VERSIONS,
  PROBE_VERSION,
  SERVER_METRICS,
  WIRE_DEFAULTS,
  getReconnectionWindow,
  podKey,
} from "@wscluster/protocol";
import type { IntentId, ModeRequest, PodMode, PodState } from "@wscluster/protocol";
import { createAdminServer, createMetrics, signTicket, verifyTicket } from "@wscluster/platform";
import type { AdminServer } from "@wscluster/platform";
import { Services } from "./app/services.ts";
import { apiRoutes } from "./api/routes.ts";
import { ProbeGate } from "./auth/probe-gate.ts";
import type { PodEntry } from "./broker/port.ts";
import { StoreWatch } from "./broker/store-settings.ts";
import { contractRoutes } from "./contract/routes.ts";
import { WriteGate } from "./contract/write-gate.ts";
import { Mover } from "./drain/mover.ts";
import { ReceiptLedger } from "./drain/receipt-ledger.ts";
import { ReceiptView } from "./drain/receipt-view.ts";
import { OwnDrain } from "./drain/own-drain.ts";
import { peersAdmission } from "./drain/self-drain.ts";
import { Hub } from "./hub/hub.ts";
import { StorePoll } from "./hub/store-poll.ts";
import type { PodOptions } from "./pod-options.ts";
import { Connection } from "./session/connection.ts";
import { connectionsOf, type ConnectionEntry } from "./session/directory.ts";
import { Control } from "./session/control.ts";
import { PlainConnection } from "./session/plain-connection.ts";
import { ProbeConnection, probeContextFor } from "./session/probe-connection.ts";
import type { SessionContext } from "./session/context.ts";
import { Presence } from "./presence/presence.ts";
import { tendPresence } from "./presence/upkeep.ts";
import { sessionEnded } from "./session/ended.ts";
import { Registry } from "./session/registry.ts";
import { Limits, NO_LIMITS } from "./limits/limits.ts";
import { hubHooksFor } from "./telemetry/hub-hooks.ts";
import { Vitals } from "./telemetry/vitals.ts";
import { DEFAULT_MARKS } from "./transport/client-socket.ts";
import { Front } from "./transport/front.ts";
import { HeartbeatWheel } from "./transport/heartbeat.ts";
import { OutputTick } from "./transport/tick.ts";

const STEP_MS = 20;
const POLL_MS = 1_000;
const BEAT_MS = 2_000;
const STORE_LOOK_MS = 30_000;
const CLOSE_WITHIN_MS = 2_000;

export class Pod {
  readonly podUid: string;
  readonly podKey: string;
  readonly bootNonce = randomBytes(12).toString("hex");
  readonly registry = new Registry();
  readonly hub: Hub;
  readonly mover: Mover;
  readonly metrics = createMetrics(SERVER_METRICS, true);
  readonly services: Services;
  readonly publisher: Services["publisher"];
  port = 0;
  adminPort = 0;
  readonly #options: PodOptions;
  readonly #tick = new OutputTick(() => performance.now());
  readonly #wheel = new HeartbeatWheel();
  readonly #gate = new WriteGate();
  readonly #ledger: ReceiptLedger;
  readonly #receipts: ReceiptView;
  readonly #vitals: Vitals;
  readonly #limits: Limits;
  readonly #front: Front;
  readonly #admin: AdminServer;
  readonly #context: SessionContext;
  readonly #ticketKeys: readonly string[];
  readonly #probes: ProbeGate;
  readonly #store: StoreWatch;
  readonly #arrivals = { named: 0, unnamed: 0 };
  #timers: NodeJS.Timeout[] = [];
  #stepTimer: NodeJS.Timeout | undefined;
  #mode: PodMode;
  #sealed = false;
  #terminating = false;
  #killed = false;
  #hasBeenReady = false;
  readonly #storePoll: StorePoll;
  #peers: readonly PodEntry[] = [];
  #termination: Promise<void> | undefined;
  readonly #ownDrain: OwnDrain;

  constructor(options: PodOptions) {
    this.#options = options;
    const { broker } = options;
    this.podUid = options.podUid ?? randomUUID();
    this.podKey = podKey(this.podUid);
    this.#mode = options.mode;
    this.#ticketKeys = options.ticketKeys.length > 0 ? options.ticketKeys : [randomBytes(32).toString("hex")];
    this.#limits = new Limits(
      () => options.settings().limits ?? NO_LIMITS,
      Date.now,
      (limit) => this.metrics.add("wscluster_limited_total", 1, { limit }),
    );
    const { podUid, bootNonce } = this;
    this.#probes = new ProbeGate({ podUid, bootNonce, adminKeys: options.adminKeys });
    this.#store = new StoreWatch(broker, Date.now);
    this.#ledger = new ReceiptLedger(broker, this.podKey);
    this.#receipts = new ReceiptView(broker, this.#ledger);
    this.hub = new Hub(broker, {
      now: Date.now,
      markDirty: (channel) => this.#tick.markChannel(channel),
      namespaces: () => options.settings().namespaces,
      ...(options.tracing ? { onTraced: options.tracing.deliver } : {}),
      ...hubHooksFor({
        metrics: this.metrics,
        onMessagesOut: (count) => {
          this.#vitals.sampler.messagesOut += count;
        },
      }),
    });
    this.#storePoll = new StorePoll({
      broker,
      hub: this.hub,
      metrics: this.metrics,
      onAnswer: () => this.#store.answered(),
    });
    this.#vitals = new Vitals(
      {
        metrics: this.metrics,
        registry: this.registry,
        channels: () => this.hub.channels.values(),
        capacity: () => options.settings().maxPerPod,
        store: () => this.#store.state(),
        lobby: () => this.#front.lobby,
        config: () => ({ generation: options.settings().generation, ok: options.settingsOk?.() ?? true }),
      },
      Date.now(),
    );
    this.services = new Services(options, this.hub, this.registry, Date.now);
    this.publisher = this.services.publisher;
    this.mover = new Mover({
      podKey: this.podKey,
      registry: this.registry,
      ledger: this.#ledger,
      signTicket: (ticket) => signTicket(this.#ticketKeys[0] ?? "", ticket),
      now: Date.now,
      random: Math.random,
      onOutcome: (outcome) => {
        this.metrics.add("wscluster_moves_total", 1, { outcome });
        this.#startSteps();
      },
      isFinal: () => this.#terminating,
    });
    this.#ownDrain = new OwnDrain({
      podKey: this.podKey,
      registry: this.registry,
      mover: this.mover,
      peers: () => this.#peers,
      now: Date.now,
      window: () => this.#window(),
      onMoves: () => this.#startSteps(),
      isStoreOk: () => this.#store.state().ok,
      onSealed: () => {
        this.#sealed = true;
        void this.#beat();
      },
      log: options.log,
    });
    const checkTicket = (text: string) => verifyTicket(this.#ticketKeys, text);
    this.#context = {
      podKey: this.podKey,
      hasLease: () => this.#hasBeenReady,
      broker,
      hub: this.hub,
      ...this.services.context,
      registry: this.registry,
      presence: new Presence(broker, this.podKey),
      control: new Control(this.podKey, broker, this.registry),
      moves: this.mover,
      settings: options.settings,
      checkTicket,
      now: Date.now,
      metrics: this.metrics,
      log: options.log,
      limits: this.#limits,
      tracing: options.tracing,
      onMessage: () => {
        this.#vitals.sampler.messagesIn += 1;
      },
      pace: () => (this.#terminating ? this.#paceNow() : undefined),
    };
    this.services.serve(this.#context);
    this.#front = new Front(
      {
        port: options.port,
        host: options.host,
        path: options.path,
        allowedOrigins: options.allowedOrigins,
        podKey: this.podKey,
        marks: options.marks ?? DEFAULT_MARKS,
        capacity: () => options.settings().maxPerPod,
        sockets: () => this.registry.slots,
        checkTicket,
        checkProbe: (header) => this.#probes.admits(header),
        checkToken: async (token) => (await this.#context.identify({ token })).ok,
        addressHeader: options.addressHeader,
        tokenCookie: options.tokenCookie,
        admitsSocket: (address) => this.#limits.admitsSocket(address),
        tls: options.tls,
        lobby: options.lobby,
        headersTimeoutMs: options.headersTimeoutMs,
      },
      {
        tick: this.#tick,
        onSocket: (socket) => this.#onSocket(socket),
        onRefused: (status) => this.metrics.add("wscluster_refused_upgrades_total", 1, { status: String(status) }),
      },
    );
    this.#admin = createAdminServer(
      { port: options.adminPort, ...(options.host === undefined ? {} : { host: options.host }) },
      contractRoutes({
        more: apiRoutes(options.apiKeys ?? [], this.services, (of, user) => this.connectionsOf(of, user)),
        podUid,
        podKey: this.podKey,
        bootNonce,
        adminKeys: options.adminKeys,
        gate: this.#gate,
        state: () => this.state(),
        isReady: () => this.isReady(),
        checks: () => this.#vitals.checks(),
        version: options.version ?? "0.1.0",
        metrics: () => this.#vitals.exposition(Date.now()),
        setMode: (request) => this.#setMode(request),
        setGrant: (grant) => {
          this.mover.grant({ ...grant, cutOthers: true });
          this.#startSteps();
        },
        sessions: this.registry.sessions,
        countGrant: (result) => this.metrics.add("wscluster_grants_total", 1, { result }),
        checkedAtMs: () => this.#vitals.sampler.sampledAtMs,
      }),
    );
  }

  async start(): Promise<void> {
    const { broker, log, settings } = this.#options;
    await broker.start({
      publication: (publication) => this.hub.onPublication(publication),
      ephemeral: (stream, user, data) => this.hub.onEphemeral(stream, user, data),
      control: (message) => this.#context.control.onMessage(message),
      presence: (event) => this.#context.presence.onEvent(event),
      resync: () => {
        this.#storePoll.resync();
        this.#context.presence.resync();
        void this.#poll();
      },
    });
    this.port = await this.#front.start();
    this.adminPort = await this.#admin.start();
    // Probes answer from here on, also when the store does not: only the first Ready waits for it.
    await this.#beat();
    this.services.orders.start();
    this.#wheel.start(() => settings().heartbeatMs);
    this.#every(this.#options.pollMs ?? POLL_MS, () => this.#poll());
    this.#every(BEAT_MS, () => this.#beat());
    this.#every(POLL_MS, () => this.#housekeeping());
    this.#every(STORE_LOOK_MS, () => this.#store.look());
    void this.#store.look();
    this.#every(POLL_MS, () => this.#ownDrain.deadline.tick());
    log.info({ port: this.port, adminPort: this.adminPort, podKey: this.podKey, mode: this.#mode }, "server listens");
  }

  #every(ms: number, task: () => Promise<void> | void): void {
    this.#timers.push(setInterval(() => void task(), ms));
  }

  // One function for all sockets.
  readonly #onMessageBytes = (bytes: number): void => this.metrics.observe("wscluster_message_bytes", bytes);

  // ---- sockets ------------------------------------------------------------------------------------------------------------

  #onSocket(socket: ConstructorParameters<typeof Connection>[0]): void {
    const helloMs = this.#options.helloDeadlineMs ?? WIRE_DEFAULTS.helloDeadlineMs;
    if (socket.arrival.probe === true) {
      new ProbeConnection(socket, probeContextFor(this.#context), helloMs);
      return;
    }
    const arrival = socket.arrival.named ? "named" : "unnamed";
    this.#arrivals[arrival] += 1;
    this.metrics.add("wscluster_connections_opened_total", 1, { arrival });
    const Kind = socket.arrival.plain ? PlainConnection : Connection;
    new Kind(socket, this.#context, helloMs);
    this.#wheel.add(socket);
    this.#limits.socketOpened(socket.arrival.address ?? "");
    socket.onMessageBytes = this.#onMessageBytes;
    socket.onEnd = () => {
      this.#wheel.remove(socket);
      this.#vitals.gauges.socketClosed(socket);
      this.#limits.socketClosed(socket.arrival.address ?? "");
      // The socket is still among those that the registry counts.
      queueMicrotask(() => this.#front.lobby.slotFreed());
    };
  }

  // ---- timers -------------------------------------------------------------------------------------------------------------

  #startSteps(): void {
    this.#stepTimer ??= setInterval(() => {
      this.mover.step();
      void this.#ledger.flush();
      if (!this.mover.isIdle) return;
      clearInterval(this.#stepTimer);
      this.#stepTimer = undefined;
    }, STEP_MS);
  }

  async #poll(): Promise<void> {
    if (!this.#killed) await this.#storePoll.look();
  }

  async #beat(gone = false): Promise<void> {
    if (this.#killed) return;
    try {
      this.#peers = await this.#options.broker.beat({
        key: this.podKey,
        mode: this.#mode,
        sealed: this.#sealed,
        terminating: this.#terminating,
        gone,
        capacity: this.#options.settings().maxPerPod,
        connections: this.registry.weight,
        admissionPerSecond: this.#admissionPerSecond(),
      });
      this.#store.answered();
      this.#hasBeenReady = true;
    } catch {
      // The lease ages; nothing else may happen because the store is away.
    }
  }

  async #housekeeping(): Promise<void> {
    this.#vitals.sample(Date.now());
    this.#front.lobby.sample();
    this.hub.sweep();
    this.services.tend(this.#context);
    await this.#ledger.flush();
    const { broker, settings } = this.#options;
    for (const { row } of this.registry.takeExpired(Date.now() - settings().sessionTtlMs)) {
      try {
        const isOver = await broker.endSession(row.id, row.g);
        this.mover.settled(row.id, isOver);
        if (isOver) sessionEnded(this.#context, row);
      } catch {
        this.registry.lose(row, Date.now());
      }
    }
    await tendPresence(this.#context, this.#peers, Math.random());
  }

  // ---- contract -----------------------------------------------------------------------------------------------------------

  /** True from the first answer of the store on, also while the store is away or the pod drains; false once sealed and empty. */
  isReady(): boolean {
    return this.#hasBeenReady && !(this.#sealed && this.registry.isEmpty);
  }

  #setMode(request: ModeRequest): void {
    this.#mode = request.mode;
    this.#sealed = request.sealed;
    this.#ownDrain.deadline.set(request.mode === "none" ? request.deadlineMs : undefined);
    void this.#beat();
  }

  async state(): Promise<PodState> {
    // Connections before receipts: a reader that sees nobody left must also see how the last one left.
    const state = {
      contract: 1 as const,
      podKey: this.podKey,
      bootNonce: this.bootNonce,
      mode: this.#mode,
      sealed: this.#sealed,
      terminating: this.#terminating,
      epoch: this.#gate.epoch,
      seq: this.#gate.seq,
      refusedWrites: this.#gate.refusedWrites,
      connections: this.registry.sessions.size,
      sessions: this.registry.capabilities(),
      preparing: this.registry.preparing.size,
      capacity: this.#options.settings().maxPerPod,
      slots: this.registry.slots,
      partitions: this.registry.partitions(),
      channels: this.#vitals.channels,
      arrivals: { ...this.#arrivals },
      load: this.#vitals.load,
      pressure: this.#vitals.pressure(),
      admissionPerSecond: this.#admissionPerSecond(),
      broker: this.#store.state(),
      probe: this.#options.adminKeys.length === 0 ? undefined : PROBE_VERSION,
      moving: this.mover.moving,
      deadlineInMs: this.#ownDrain.deadline.inMs,
      configGeneration: this.#options.settings().generation,
      speaks: FORMAT_VERSIONS,
    };
    return { ...state, receipts: await this.#receipts.totals() };
  }

  /** One user's connections on all pods. Rejects with `BrokerUnavailable`. */
  connectionsOf(tenant: string, user: string): Promise<readonly ConnectionEntry[]> {
    return connectionsOf(this.#context, tenant, user);
  }

  /** Asks one connection to move now, outside any grant. For tests and tools. */
  forceMove(
    connection: Connection,
    target: string,
    order: { readonly intent: IntentId; readonly deadlineMs: number },
  ): string | undefined {
    this.#startSteps();
    return this.mover.ask(connection, target, order);
  }

  // ---- the end ------------------------------------------------------------------------------------------------------------

  #paceNow() {
    return { ...this.#window(), forMs: this.#options.terminationMs };
  }

  /** For everybody here to come back to those who stay. */
  #window() {
    const { size } = this.registry.sessions;
    return getReconnectionWindow(size, peersAdmission(this.podKey, this.#peers, this.#admissionPerSecond()));
  }

  #admissionPerSecond(): number {
    return Math.round(this.#front.lobby.perSecond);
  }

  /** SIGTERM: tells everybody, moves all to peers while serving on, cuts what is left at the end. */
  terminate(): Promise<void> {
    return (this.#termination ??= this.#terminateNow());
  }

  async #terminateNow(): Promise<void> {
    const { broker, log, terminationMs } = this.#options;
    const startedMs = Date.now();
    this.#terminating = true;
    this.#ownDrain.deadline.set(undefined);
    log.info({ connections: this.registry.sessions.size }, "drain begins");
    const pace = this.#paceNow();
    for (const connection of this.registry.sessions.values()) connection.send({ t: "pace", ...pace });
    await this.#beat();
    if (broker.shared) await this.#ownDrain.run(terminationMs);
    this.#front.refuse();
    const cut = this.#ownDrain.cutAll();
    const closedByMs = Date.now() + CLOSE_WITHIN_MS;
    while (this.registry.all.size > 0 && Date.now() < closedByMs) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    log.info({ cut, seconds: (Date.now() - startedMs) / 1_000 }, "drain is over");
    await this.stop();
  }

  /** Ends at once: closes what is open, flushes what was counted. */
  async stop(): Promise<void> {
    if (this.#killed) return;
    this.#clearTimers();
    this.#front.refuse();
    for (const connection of this.registry.all) connection.end("drain", { minMs: 0, maxMs: 3_000 });
    await this.#front.stop();
    for (const connection of this.registry.all) connection.socket.terminate();
    await this.#ledger.flush();
    await this.#beat(true);
    this.#killed = true;
    await this.#admin.stop();
    await this.#options.broker.stop();
  }

  /** As if the process was killed: no close frame, no handler, no farewell to the store. For tests. */
  async kill(): Promise<void> {
    this.#killed = true;
    this.#clearTimers();
    for (const connection of this.registry.all) {
      connection.socket.owner = undefined;
      connection.socket.terminate();
    }
    await Promise.all([this.#options.broker.stop(), this.#front.stop(), this.#admin.stop()]);
  }

  #clearTimers(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
    clearInterval(this.#stepTimer);
    this.#context.presence.stop();
    this.#wheel.stop();
    this.#vitals.stop();
  }
}
