// The pods of one simulated cluster as the contract sees them: clients are numbers, grants move them, receipts count them. Pure; time
// is an argument. Not here: HTTP (pod-endpoints.ts), Kubernetes (kubelet.ts).
import {
  type EdgeState,
  type Grant,
  type ModeRequest,
  NO_RECEIPTS,
  podKey,
  type PodMode,
  type PodState,
  type Receipts,
  type WriteAnswer,
} from "@wscluster/protocol";

type Running = { readonly grant: Grant; readonly fromMs: number; readonly sent: Map<string, number> };

export type ServerPod = {
  readonly uid: string;
  readonly key: string;
  mode: PodMode;
  isSealed: boolean;
  isTerminating: boolean;
  connections: number;
  arrivals: number;
  epoch: number;
  seq: number;
  refusedWrites: number;
  deadlineAtMs: number | undefined;
  grant: Running | undefined;
};

/** A pod that ends by itself gives its clients away in so many looks. */
const OWN_DRAIN_PARTS = 20;
const CAPACITY = 10_000;

export class SimulatedFleet {
  readonly servers = new Map<string, ServerPod>();
  /** Generation of the edge's instructions, as a watch brought it. */
  generation = 0;
  adminKey: string | undefined;
  readonly #receipts = new Map<string, Receipts>();

  start(uid: string, mode: PodMode): ServerPod {
    const pod: ServerPod = {
      uid,
      key: podKey(uid),
      mode,
      isSealed: false,
      isTerminating: false,
      connections: 0,
      arrivals: 0,
      epoch: 0,
      seq: 0,
      refusedWrites: 0,
      deadlineAtMs: undefined,
      grant: undefined,
    };
    this.servers.set(pod.key, pod);
    return pod;
  }

  /** Connections that were lost with it. */
  stop(key: string): number {
    const pod = this.servers.get(key);
    this.servers.delete(key);
    return pod?.connections ?? 0;
  }

  isReady(pod: ServerPod): boolean {
    return !(pod.isSealed && pod.connections === 0);
  }

  get connections(): number {
    return [...this.servers.values()].reduce((sum, pod) => sum + pod.connections, 0);
  }

  /** Same seq: same answer. Lower seq or epoch: refused. */
  write(pod: ServerPod, epoch: number, seq: number, body: Grant | ModeRequest, nowMs: number): WriteAnswer {
    const refuse = (code: "stale-epoch" | "stale-seq"): WriteAnswer => {
      pod.refusedWrites += 1;
      return { ok: false, code, message: code, epoch: pod.epoch, seq: pod.seq };
    };
    if (epoch < pod.epoch) return refuse("stale-epoch");
    if (epoch === pod.epoch && seq < pod.seq) return refuse("stale-seq");
    if (epoch > pod.epoch || seq > pod.seq) {
      pod.epoch = epoch;
      pod.seq = seq;
      if ("intent" in body) pod.grant = { grant: body, fromMs: nowMs, sent: new Map() };
      else {
        pod.mode = body.mode;
        pod.isSealed = body.sealed;
        pod.deadlineAtMs = body.deadlineMs === undefined ? undefined : nowMs + body.deadlineMs;
      }
    }
    return { ok: true, epoch: pod.epoch, seq: pod.seq };
  }

  /** What was due since the last look: moves of grants, and those of pods that end by themselves. */
  look(nowMs: number): void {
    for (const pod of this.servers.values()) {
      if (pod.grant !== undefined) this.#perform(pod, pod.grant, nowMs);
      if (pod.isTerminating && pod.connections > 0) this.#giveAway(pod);
    }
  }

  #perform(pod: ServerPod, running: Running, nowMs: number): void {
    const { grant, fromMs, sent } = running;
    const part = Math.min(1, (nowMs - fromMs) / grant.windowMs);
    for (const { pod: target, count } of grant.targets) {
      const before = sent.get(target) ?? 0;
      const due = Math.floor(count * part) - before;
      if (due <= 0) continue;
      sent.set(target, before + due);
      this.#move(pod, this.servers.get(target), due, grant.intent);
    }
    if (part === 1) pod.grant = undefined;
  }

  #giveAway(pod: ServerPod): void {
    const peers = [...this.servers.values()].filter(
      (peer) => peer.mode === "active" && !peer.isSealed && !peer.isTerminating,
    );
    const target = peers.toSorted((a, b) => a.connections - b.connections)[0];
    this.#move(pod, target, Math.ceil(pod.connections / OWN_DRAIN_PARTS), `evacuate/${pod.key}`);
  }

  #move(from: ServerPod, to: ServerPod | undefined, wanted: number, intent: string): void {
    const count = Math.min(wanted, from.connections);
    if (to === undefined || count <= 0) return;
    from.connections -= count;
    to.connections += count;
    to.arrivals += count;
    const before = this.#receipts.get(intent) ?? NO_RECEIPTS;
    this.#receipts.set(intent, { ...before, offered: before.offered + count, moved: before.moved + count });
  }

  stateOf(pod: ServerPod, nowMs: number): PodState {
    return {
      contract: 1,
      podKey: pod.key,
      bootNonce: `boot-${pod.key}`,
      mode: pod.mode,
      sealed: pod.isSealed,
      terminating: pod.isTerminating,
      epoch: pod.epoch,
      seq: pod.seq,
      refusedWrites: pod.refusedWrites,
      connections: pod.connections,
      sessions: { migrate: pod.connections, resume: 0, plain: 0 },
      preparing: 0,
      capacity: CAPACITY,
      arrivals: { named: pod.arrivals, unnamed: 0 },
      load: { cpu: 0.1, rssBytes: 1e8, eventLoopLagMs: 1, messagesInPerSecond: 10, messagesOutPerSecond: 100 },
      pressure: 0.1,
      broker: {
        ok: true,
        lastOkAgoMs: 10,
        store: { evictionPolicy: "noeviction", replicas: 1, minReplicasToWrite: 1 },
      },
      moving: 0,
      deadlineInMs: pod.deadlineAtMs === undefined ? null : Math.max(0, pod.deadlineAtMs - nowMs),
      receipts: Object.fromEntries(this.#receipts),
      configGeneration: 1,
      speaks: { session: 1, ticket: 1, protocol: 1 },
    };
  }

  /** An agent that follows at once. */
  edgeStateOf(uid: string): EdgeState {
    const servers = [...this.servers.values()].map(
      ({ key, mode, connections }) =>
        [
          key,
          { state: mode === "active" ? "ready" : "drain", address: "127.0.0.1:8080", sessions: connections },
        ] as const,
    );
    return {
      edge: podKey(uid),
      generation: this.generation,
      servers: Object.fromEntries(servers),
      connections: this.connections,
      sourceAgeMs: 0,
    };
  }
}
