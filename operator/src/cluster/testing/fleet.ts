// The processes of the small world: server pods that hold counted clients, and edge pods that lead arrivals to them.
// Test code only. Clients are numbers here; who they are and what they receive is tested against real servers.
import { LABELS } from "@wscluster/crds";
import {
  type EdgeInstructions,
  type EdgeShare,
  type EdgeState,
  type Grant,
  type ModeRequest,
  NO_RECEIPTS,
  podKey,
  type PodMode,
  type PodState,
  type Receipts,
} from "@wscluster/protocol";

export type ServerProcess = {
  readonly uid: string;
  readonly key: string;
  mode: PodMode;
  sealed: boolean;
  connections: number;
  /** Of them: clients that do not know `migrate`, and clients that refuse every move. */
  plain: number;
  stubborn: number;
  /** It was told to end. */
  terminating: boolean;
  /** The same clients by the edge pod that they come through. */
  readonly via: Map<string, number>;
  unnamed: number;
  named: number;
  /** Named arrivals of the last second. */
  recent: number;
  epoch: number;
  seq: number;
  /** When it empties itself, whoever is down. */
  deadlineAtMs: number | undefined;
  /** Clients that were asked and come to their targets in the next second. */
  onTheWay: { target: string; count: number; intent: string; edge: string | undefined }[];
};

export class Fleet {
  readonly servers = new Map<string, ServerProcess>();
  readonly edges = new Map<
    string,
    {
      generation: number;
      takesNew: readonly string[];
      known: Set<string>;
      usable: string[];
      share: EdgeShare | undefined;
      sharing: string[];
    }
  >();
  readonly receipts = new Map<string, Receipts>();
  storeIsUp = true;
  nowMs = 0;
  capacity = 1_000;
  pressureOf: (server: ServerProcess) => number = () => 0;
  /** Clients that lost their socket because a pod went away. */
  cut = 0;
  /** Clients that were closed with a window and come back in the next second. */
  readonly returning = { ordinary: 0, plain: 0, stubborn: 0 };
  /** Grants that named a pod which some edge did not know. */
  unknownTargets = 0;
  readonly granted: { atMs: number; count: number }[] = [];

  startServer(uid: string, labels: Readonly<Record<string, string>>): void {
    const traffic = labels[LABELS.traffic];
    const mode: PodMode = traffic === "active" || traffic === "preview" ? traffic : "none";
    const key = podKey(uid);
    if (this.servers.size >= this.bornUnreadyAfter) this.unready.add(uid);
    this.servers.set(uid, {
      uid,
      key,
      mode,
      sealed: false,
      connections: 0,
      plain: 0,
      stubborn: 0,
      terminating: false,
      via: new Map(),
      unnamed: 0,
      named: 0,
      recent: 0,
      epoch: 0,
      seq: 0,
      deadlineAtMs: undefined,
      onTheWay: [],
    });
  }

  stop(uid: string): void {
    const server = this.servers.get(uid);
    this.cut += server?.connections ?? 0;
    this.servers.delete(uid);
    if (!this.edges.delete(uid)) return;
    for (const other of this.servers.values()) {
      const through = other.via.get(uid) ?? 0;
      this.cut += through;
      other.connections -= through;
      other.via.delete(uid);
    }
  }

  /** Faults of a story: servers born after so many never become ready; edges hear nothing more; old pods get arrivals still. */
  bornUnreadyAfter = Number.POSITIVE_INFINITY;
  edgesAreDeaf = false;
  hasStrays = false;
  /** Servers whose readiness fails, by uid. */
  readonly unready = new Set<string>();

  isReady(uid: string): boolean {
    const server = this.servers.get(uid);
    if (this.unready.has(uid)) return false;
    return server !== undefined && !(server.sealed && server.connections === 0);
  }

  stateOf(uid: string): PodState | undefined {
    const server = this.servers.get(uid);
    if (server === undefined) return undefined;
    const moving = server.onTheWay.reduce((sum, move) => sum + move.count, 0);
    return {
      contract: 1,
      podKey: server.key,
      bootNonce: `boot-${uid}`,
      mode: server.mode,
      sealed: server.sealed,
      terminating: server.terminating,
      epoch: server.epoch,
      seq: server.seq,
      refusedWrites: 0,
      connections: server.connections,
      sessions: { migrate: server.connections - server.plain, resume: 0, plain: server.plain },
      preparing: 0,
      capacity: this.capacity,
      arrivals: { named: server.named, unnamed: server.unnamed },
      load: { cpu: 0, rssBytes: 0, eventLoopLagMs: 0, messagesInPerSecond: 0, messagesOutPerSecond: 0 },
      pressure: this.pressureOf(server),
      broker: { ok: this.storeIsUp, lastOkAgoMs: 0 },
      moving,
      deadlineInMs: server.deadlineAtMs === undefined ? null : Math.max(0, server.deadlineAtMs - this.nowMs),
      receipts: Object.fromEntries(this.receipts),
      configGeneration: 1,
      speaks: { session: 1, ticket: 1, protocol: 1 },
    };
  }

  edgeStateOf(uid: string): EdgeState | undefined {
    const edge = this.edges.get(uid);
    if (edge === undefined) return undefined;
    const servers = [...edge.known].map((key) => {
      const state = edge.usable.includes(key) ? ("ready" as const) : ("drain" as const);
      const sessions = [...this.servers.values()].find((server) => server.key === key)?.via.get(uid) ?? 0;
      return [key, { state, address: "10.0.0.1:8080", sessions }] as const;
    });
    const connections = [...this.servers.values()].reduce((sum, server) => sum + (server.via.get(uid) ?? 0), 0);
    return {
      edge: podKey(uid),
      generation: edge.generation,
      servers: Object.fromEntries(servers),
      ...(edge.share === undefined || edge.sharing.length === 0 ? {} : { share: edge.share }),
      connections,
      sourceAgeMs: 0,
    };
  }

  setMode(uid: string, request: ModeRequest, epoch: number): boolean {
    const server = this.servers.get(uid);
    if (server === undefined || epoch < server.epoch) return false;
    server.epoch = epoch;
    server.seq++;
    server.mode = request.mode;
    server.sealed = request.sealed;
    server.deadlineAtMs = request.deadlineMs === undefined ? undefined : this.nowMs + request.deadlineMs;
    return true;
  }

  grant(key: string, grant: Omit<Grant, "epoch" | "seq">, epoch: number, atMs: number): boolean {
    const server = [...this.servers.values()].find((one) => one.key === key);
    if (server === undefined || epoch < server.epoch) return false;
    server.epoch = epoch;
    server.seq++;
    this.granted.push({ atMs, count: grant.count });
    if (!this.storeIsUp) return true;
    for (const { pod, count } of grant.targets) {
      for (const edge of this.edges.values()) if (!edge.known.has(pod)) this.unknownTargets++;
      const busy = server.onTheWay.reduce((sum, move) => sum + move.count, 0);
      const edge = [...this.edges.keys()].find((uid) => podKey(uid) === grant.select?.edge);
      const asked = server.onTheWay.filter((move) => move.edge === edge).reduce((sum, move) => sum + move.count, 0);
      const there = edge === undefined ? server.connections : (server.via.get(edge) ?? 0) - asked;
      const amount = Math.min(count, server.connections - server.plain - server.stubborn - busy, there);
      if (amount > 0) server.onTheWay.push({ target: pod, count: amount, intent: grant.intent, edge });
      // Those that can move come first; what is left of the grant cuts those that cannot.
      const cut = edge === undefined ? Math.min(count - Math.max(0, amount), server.plain) : 0;
      this.#close(server, "plain", cut, grant.intent);
      const rest = Math.min(count - Math.max(0, amount) - cut, server.stubborn);
      if (rest > 0) this.#count(grant.intent, "refused", rest);
    }
    return true;
  }

  /** So many clients who all end up on one pod, whatever the edge makes of it. */
  arriveAt(uid: string, count: number): void {
    const server = this.servers.get(uid);
    const edge = this.serviceEdges[0];
    if (server === undefined || edge === undefined) return;
    server.connections += count;
    server.named += count;
    server.via.set(edge, (server.via.get(edge) ?? 0) + count);
  }

  /** SIGTERM: the pod serves on and moves its clients by itself, so many a second. */
  terminate(uid: string): void {
    const server = this.servers.get(uid);
    if (server !== undefined) server.terminating = true;
  }

  drainItself(uid: string, perSecond: number, isOver: boolean): void {
    const server = this.servers.get(uid);
    if (server === undefined || !this.storeIsUp) return;
    const intent = `evacuate/${server.key}`;
    const peers = [...this.servers.values()].filter(
      (peer) => peer.mode === "active" && !peer.sealed && !peer.terminating,
    );
    const busy = server.onTheWay.reduce((sum, move) => sum + move.count, 0);
    const free = Math.max(0, server.connections - server.plain - server.stubborn - busy);
    const target = peers.toSorted((a, b) => a.connections - b.connections)[0];
    const count = Math.min(perSecond, free);
    if (target !== undefined && count > 0) {
      server.onTheWay.push({ target: target.key, count, intent, edge: undefined });
    }
    this.#close(server, "plain", server.plain, intent);
    if (!isOver) return;
    server.onTheWay = [];
    this.#close(server, "stubborn", server.stubborn, intent);
    this.#close(server, "ordinary", server.connections, intent);
  }

  /** Pods whose own deadline is over: whoever is left on them is closed with a window, and they seal themselves. */
  keepDeadlines(): void {
    for (const server of this.servers.values()) {
      if (server.deadlineAtMs === undefined || this.nowMs < server.deadlineAtMs || server.terminating) continue;
      this.drainItself(server.uid, 0, true);
      server.sealed = true;
    }
  }

  #close(server: ServerProcess, kind: "ordinary" | "plain" | "stubborn", count: number, intent: string): void {
    if (count <= 0) return;
    for (let client = 0; client < count; client++) this.#leave(server, undefined);
    if (kind !== "ordinary") server[kind] -= count;
    this.returning[kind] += count;
    this.#count(intent, "cut", count);
  }

  #count(intent: string, outcome: "moved" | "cut" | "refused", count: number): void {
    const before = this.receipts.get(intent) ?? NO_RECEIPTS;
    this.receipts.set(intent, { ...before, offered: before.offered + count, [outcome]: before[outcome] + count });
  }

  /** One second: those who were asked arrive. */
  completeMoves(): void {
    for (const server of this.servers.values()) {
      server.recent = 0;
      if (this.hasStrays && server.mode === "none") server.unnamed++;
    }
    if (!this.storeIsUp) return;
    for (const source of this.servers.values()) {
      for (const { target, count, intent, edge } of source.onTheWay.splice(0)) {
        const to = [...this.servers.values()].find((server) => server.key === target);
        if (to === undefined) continue;
        for (let client = 0; client < count; client++) {
          this.#leave(source, edge);
          this.#enter(to);
        }
        to.named += count;
        to.recent += count;
        this.#count(intent, "moved", count);
      }
    }
  }

  /** What an agent does with the instructions and the pods that it sees. */
  syncEdge(
    uid: string,
    instructions: EdgeInstructions | undefined,
    pods: readonly { key: string; revision: string; ready: boolean; traffic: string; set: string }[],
  ): void {
    const before = this.edges.get(uid);
    if (before !== undefined && this.edgesAreDeaf) {
      // It sees pods, and no instructions.
      this.edges.set(uid, { ...before, known: new Set(pods.map((pod) => pod.key)) });
      return;
    }
    const takesNew =
      instructions === undefined || instructions.takesNew.length === 0
        ? (before?.takesNew ?? [])
        : instructions.takesNew;
    const usableOf = (revisions: readonly string[]) =>
      pods
        .filter(
          (pod) => revisions.includes(pod.revision) && pod.ready && pod.traffic === "active" && pod.set === "attached",
        )
        .map((pod) => pod.key);
    const share = this.canShare ? instructions?.share : undefined;
    this.edges.set(uid, {
      generation: instructions?.generation ?? before?.generation ?? 0,
      takesNew,
      known: new Set(pods.map((pod) => pod.key)),
      usable: usableOf(takesNew),
      share,
      sharing: share === undefined ? [] : usableOf([share.revision]),
    });
  }

  /** Those who were closed with a window come back. */
  comeBack(): void {
    for (const kind of ["ordinary", "plain", "stubborn"] as const) {
      this.returning[kind] = this.arrive(this.returning[kind], kind === "ordinary" ? undefined : kind);
    }
  }

  /** Clients that come by name, from wherever. */
  visit(uid: string, count: number): void {
    const server = this.servers.get(uid);
    for (let client = 0; server !== undefined && client < count; client++) this.#enter(server);
  }

  /** Unnamed arrivals through the first edge. Returns how many found no pod. */
  arrive(count: number, kind?: "plain" | "stubborn"): number {
    const edge = [...this.edges.values()][0];
    if (edge === undefined) return count;
    const openOf = (keys: readonly string[]) =>
      [...this.servers.values()].filter(
        (server) => keys.includes(server.key) && server.mode === "active" && !server.terminating,
      );
    const main = openOf(edge.usable);
    const sharing = openOf(edge.sharing);
    if (main.length + sharing.length === 0) return count;
    for (let client = 0; client < count; client++) {
      // Exact parts instead of dice, so that a story is always told the same.
      this.#dice = (this.#dice + (edge.share?.percent ?? 0)) % 100;
      const isShared = sharing.length > 0 && this.#dice < (edge.share?.percent ?? 0);
      const open = isShared || main.length === 0 ? sharing : main;
      const least = open.reduce((best, server) => (server.connections < best.connections ? server : best));
      this.#enter(least);
      if (kind !== undefined) least[kind]++;
      least.unnamed++;
    }
    return 0;
  }

  #dice = 0;
  /** Whether the edges know how to lead a part of the arrivals. */
  canShare = true;

  /** Edge pods that the Service leads to. */
  serviceEdges: string[] = [];

  #enter(server: ServerProcess): void {
    const open = this.serviceEdges.filter((uid) => this.edges.has(uid));
    const edge = open[server.connections % Math.max(1, open.length)] ?? [...this.edges.keys()][0];
    server.connections++;
    if (edge !== undefined) server.via.set(edge, (server.via.get(edge) ?? 0) + 1);
  }

  #leave(server: ServerProcess, edge: string | undefined): void {
    const from = edge ?? [...server.via].find(([, count]) => count > 0)?.[0];
    server.connections--;
    if (from !== undefined) server.via.set(from, (server.via.get(from) ?? 0) - 1);
  }

  /** Every client leaves by itself. */
  hangUp(): void {
    for (const server of this.servers.values()) {
      server.connections = 0;
      server.plain = 0;
      server.stubborn = 0;
      server.via.clear();
      server.onTheWay = [];
    }
  }

  get connections(): number {
    return [...this.servers.values()].reduce((sum, server) => sum + server.connections, 0);
  }
}
