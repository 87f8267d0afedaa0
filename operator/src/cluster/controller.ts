// One pass over one WebSocketCluster: observe -> decide -> act -> one status write. The thin shell around the pure parts.
import { PORTS, webSocketClusterSpec } from "@wscluster/crds";
import type { WebSocketClusterStatus } from "@wscluster/crds";
import type { ContractWriter } from "../contract/writer.ts";
import type { PollTarget, StatePoller } from "../contract/poller.ts";
import {
  Applier,
  type CustomObject,
  type EventRecorder,
  isConflict,
  type KubeApi,
  OwnWrites,
  regardingOf,
  resources,
} from "../kube/index.ts";
import { CONTRACT_PATHS } from "@wscluster/protocol";
import type { Scraper, ScrapeTarget } from "../signals/index.ts";
import { type PaceLimits, paceLimitsOf } from "../moves/limits.ts";
import type { Gates } from "../gates/gates.ts";
import type { Clock, ReconcileContext, ReconcileResult } from "../runtime/index.ts";
import { act, ActError, type ActReport, adminPortOf } from "./act.ts";
import { AutoscaleMemo, rivalAmong } from "./autoscale-memo.ts";
import { BalanceMemory } from "./balance-memory.ts";
import type { Caches } from "./caches.ts";
import type { ClusterMetrics } from "./cluster-metrics.ts";
import { decide } from "./decide/index.ts";
import { invalidSpecConditions } from "./decide/conditions.ts";
import type { ClusterFacts, GateAt, OperatorDefaults } from "./facts.ts";
import type { Fencing } from "./fencing.ts";
import { ClusterMemory } from "./memory.ts";
import { observe, type UnjudgedFacts } from "./observe.ts";
import type { EventValue, Plan } from "./plan.ts";
import { quotaTroubleOf } from "./quota.ts";
import { EVENT_REASONS, type EventReason } from "./reasons.ts";
import { Recorder, RECORD_EVERY_MS } from "./recorder.ts";
import { judgeStatus } from "./status-writer.ts";

const POLL_MS = { moving: 1_000, rest: 5_000 } as const;
/** A cache that does not reach our own write within this is behind a broken watch; the reflector repairs that. */
const OWN_WRITE_MS = 30_000;
const QUOTA_MS = 30_000;

export type ControllerPorts = {
  readonly api: KubeApi;
  readonly caches: Caches;
  readonly poller: StatePoller;
  readonly writer: ContractWriter;
  readonly events: Pick<EventRecorder, "record">;
  readonly clock: Clock;
  readonly randomKey: () => string;
  readonly defaults: OperatorDefaults;
  readonly fencing: Fencing;
  /** Sees every pass; absent = nobody counts. */
  readonly metrics?: Pick<ClusterMetrics, "saw" | "did" | "forget">;
  /** The kill switch of the whole operator. */
  readonly operatorPaused?: () => boolean;
  /** What judges rollouts from outside; absent = nothing does. */
  readonly gates?: Pick<Gates, "verdictsAt" | "rest">;
  /** What scrapes pods; absent = no load is measured. */
  readonly scraper?: Pick<Scraper, "watch" | "forget" | "signals">;
  /** Whether this process leads at this moment: asked before each write, since a stopped process wakes up late. */
  readonly mayAct: () => boolean;
  readonly log: {
    info(fields: object, text: string): void;
    warn(fields: object, text: string): void;
    debug(fields: object, text: string): void;
  };
};

type Remembered = {
  readonly uid: string;
  readonly memory: ClusterMemory;
  readonly settled: Map<string, string>;
  lastStatusMs: number | undefined;
  /** What was written last and what the server made of it: a server that drops a field must not be written to for ever. */
  lastStatus: { readonly next: string; readonly stored: string } | undefined;
  lastWarning: string | undefined;
  readonly balance: BalanceMemory;
  readonly autoscaler: AutoscaleMemo;
  readonly recorder: Recorder;
  /** What the quotas said of the attempt that is to begin. */
  quota: { readonly attempt: string; readonly atMs: number; readonly trouble: string | undefined } | undefined;
};

/** State of one term of leadership; made anew when leadership is won again. */
export class ClusterReconciler {
  readonly #ports: ControllerPorts;
  readonly #applier: Applier;
  readonly #clusters = new Map<string, Remembered>();
  readonly #ownWrites = new Map<string, OwnWrites>();

  constructor(ports: ControllerPorts) {
    this.#ports = ports;
    this.#applier = new Applier({ client: ports.api });
  }

  async reconcile(key: string, context: ReconcileContext): Promise<ReconcileResult> {
    const { caches, clock, log } = this.#ports;
    const slash = key.indexOf("/");
    const namespace = key.slice(0, slash);
    const name = key.slice(slash + 1);
    const cluster = caches.store(caches.clusters, namespace)?.get({ namespace, name });
    // A deletion is done by garbage collection and by the pods' own drains; nothing is written to what goes away.
    if (cluster === undefined || cluster.metadata.deletionTimestamp !== undefined) {
      this.#forget(key);
      return { kind: "done" };
    }
    const pending = this.#writesOf(namespace).pending(key);
    const isWaiting = pending.some((write) => clock.monotonicMs() - write.sinceMs < OWN_WRITE_MS);
    // A decision on a cache that has not seen our own last write would act twice (KEP-5647).
    if (isWaiting) return { kind: "done", requeueAfterMs: 100 };
    const mine = this.#rememberedFor(key, cluster);
    const foreign = await this.#ports.fencing.foreignOf(cluster, context.signal);
    if (foreign !== undefined) return this.#yieldTo(cluster, mine, foreign);
    const nowMs = clock.nowMs();
    const observed = await this.#observe(cluster, mine, nowMs, context.signal);
    if (observed.kind === "invalid") {
      const conditions = invalidSpecConditions(
        observed.status?.conditions,
        nowMs,
        cluster.metadata.generation ?? 1,
        observed.message,
      );
      const status = { ...observed.status, observedGeneration: cluster.metadata.generation ?? 1, conditions };
      await this.#writeStatus(key, cluster, mine, status, observed.status, context.signal);
      this.#warnOnce(cluster, mine, "InvalidSpec", observed.message);
      return { kind: "terminal", reason: observed.message };
    }
    const facts = this.#withBalance(key, observed.facts, mine);
    if (facts.gate === undefined) this.#ports.gates?.rest(key);
    const plan = decide(facts);
    this.#ports.metrics?.saw(key, facts, plan);
    mine.memory.observe(plan, nowMs);
    mine.memory.learnPace(plan.pressures, paceLimitsOf(facts.spec.moves), nowMs);
    const scaled = mine.autoscaler.next(facts, plan, this.#ports.clock.monotonicMs());
    this.#ports.poller.watch(key, pollTargetsOf(facts), POLL_MS[plan.poll]);
    let report: ActReport;
    try {
      report = await this.#act(key, cluster, facts, plan, mine, context);
    } catch (error) {
      if (error instanceof ActError && error.code === "name-taken") {
        this.#warnOnce(cluster, mine, "NameTaken", error.message);
      }
      // Somebody was faster, or our picture was old: nothing is wrong, look again.
      if (isConflict(error) || (error instanceof ActError && error.code === "stale")) {
        log.debug({ key, error: String(error) }, "pass ended early; looking again");
        return { kind: "done", requeueAfterMs: 200 };
      }
      throw error;
    }
    this.#ports.metrics?.did(report.grants);
    mine.balance.note(plan.balance, report.grants, facts, clock.monotonicMs());
    if (report.effects > 0) this.#ports.poller.nudge(key);
    const laterMs = await this.#writeStatus(key, cluster, mine, plan.status, facts.cluster.status, context.signal);
    for (const event of [...plan.events, ...scaled.events]) this.#tell(cluster, event);
    mine.recorder.note(facts, plan, report.grants);
    const recordMs = await this.#record(key, facts, plan, mine, context.signal);
    if (report.notes.length > 0) log.info({ key, did: report.notes, notes: plan.notes }, "pass");
    else log.debug({ key, notes: plan.notes }, "pass");
    const requeueAfterMs = [plan.requeueAfterMs, laterMs, recordMs, scaled.requeueAfterMs].filter(
      (time) => time !== undefined,
    );
    return requeueAfterMs.length === 0
      ? { kind: "done" }
      : { kind: "done", requeueAfterMs: Math.min(...requeueAfterMs) };
  }

  #withBalance(key: string, facts: ClusterFacts, mine: Remembered): ClusterFacts {
    const { caches, clock, scraper } = this.#ports;
    if (scraper === undefined) return facts;
    const balance = mine.balance.look({
      facts,
      objects: caches.rebalancesOf(facts.cluster.namespace, facts.cluster.name),
      signals: scraper.signals,
      monotonicMs: clock.monotonicMs(),
    });
    if (balance === undefined) scraper.forget(key);
    else scraper.watch(key, scrapeTargetsOf(facts));
    return { ...facts, balance };
  }

  /** Before a rollout begins the namespace's quotas are read too; a later pass of the same wait reads them again. */
  async #observe(
    cluster: CustomObject,
    mine: Remembered,
    nowMs: number,
    signal: AbortSignal,
  ): Promise<ReturnType<typeof observe>> {
    const { namespace = "default", name } = cluster.metadata;
    await this.#findRival(cluster, mine, nowMs, signal);
    const look = () => observe(this.#sourcesFor(cluster, namespace, name, mine, nowMs));
    const observed = look();
    if (observed.kind !== "valid" || observed.facts.gate?.at.point !== "preflight") return observed;
    const { attempt } = observed.facts.gate.at;
    if (mine.quota?.attempt === attempt && nowMs - mine.quota.atMs < QUOTA_MS) return observed;
    let trouble: string | undefined;
    try {
      const { items } = await this.#ports.api.list(resources.resourceQuotas, { namespace, signal, timeoutMs: 5_000 });
      trouble = quotaTroubleOf(items, observed.facts);
    } catch (error) {
      // Not allowed, or no answer: then nobody knows, and what nobody knows holds nothing.
      this.#ports.log.debug({ key: `${namespace}/${name}`, error: String(error) }, "quotas cannot be read");
    }
    mine.quota = { attempt, atMs: nowMs, trouble };
    return look();
  }

  /** Two autoscalers would pull a cluster to and fro: whoever writes `replicas` from outside is followed. */
  async #findRival(cluster: CustomObject, mine: Remembered, nowMs: number, signal: AbortSignal): Promise<void> {
    if (fieldOf(cluster.spec, "autoscaling") === undefined) {
      mine.autoscaler.rest();
      return;
    }
    if (!mine.autoscaler.mayAskForRivals(nowMs)) return;
    const { namespace = "default", name } = cluster.metadata;
    try {
      const { items } = await this.#ports.api.list(resources.horizontalPodAutoscalers, {
        namespace,
        signal,
        timeoutMs: 5_000,
      });
      mine.autoscaler.rival = rivalAmong(items, name);
    } catch (error) {
      // Not allowed, or not served: then nobody knows of one.
      this.#ports.log.debug({ key: `${namespace}/${name}`, error: String(error) }, "autoscalers cannot be read");
    }
  }

  /** The key that signs; the others only verify. */
  #adminKeyOf(namespace: string, name: string): string | undefined {
    const { caches } = this.#ports;
    const secrets = caches.ofCluster(caches.secrets, namespace, name);
    const keys = secrets.find((secret) => secret.metadata.name === `${name}-keys`)?.data?.["admin"];
    return keys === undefined ? undefined : Buffer.from(keys, "base64").toString("utf8").split(",")[0];
  }

  #sourcesFor(cluster: CustomObject, namespace: string, name: string, mine: Remembered, nowMs: number) {
    const { caches, poller, defaults } = this.#ports;
    const secrets = caches.ofCluster(caches.secrets, namespace, name);
    return {
      nowMs,
      cluster,
      replicaSets: caches.ofCluster(caches.replicaSets, namespace, name),
      pods: caches.ofCluster(caches.pods, namespace, name),
      configMaps: caches.ofCluster(caches.configMaps, namespace, name),
      budgets: caches.inNamespace(caches.budgets, namespace),
      nodes: caches.knownNodes(),
      keysExist: secrets.some((secret) => secret.metadata.name === `${name}-keys`),
      gates: (at: GateAt, unjudged: UnjudgedFacts) =>
        this.#ports.gates?.verdictsAt(`${namespace}/${name}`, at, unjudged, this.#adminKeyOf(namespace, name)) ?? {},
      podState: (uid: string) => poller.podState(uid),
      edgeState: (uid: string) => poller.edgeState(uid),
      arrivals: (uid: string) => poller.arrivals(uid),
      memory: mine.memory.facts(nowMs, paceOf(cluster)),
      defaults,
      quota: mine.quota?.trouble,
      operatorPaused: this.#ports.operatorPaused?.() ?? false,
      autoscale: mine.autoscaler.facts,
    };
  }

  async #act(
    key: string,
    cluster: CustomObject,
    facts: ClusterFacts,
    plan: Plan,
    mine: Remembered,
    context: ReconcileContext,
  ): Promise<ActReport> {
    const { api, caches, clock, writer, fencing, randomKey } = this.#ports;
    const { namespace, name } = facts.cluster;
    const ownWrites = this.#writesOf(namespace);
    let epoch: Promise<number> | undefined;
    const fence = (): Promise<number> =>
      (epoch ??= (async () => {
        // A claim of a process that does not lead any more would depose the one that does.
        if (!this.#ports.mayAct()) {
          throw new ActError("deposed", `cannot claim ${key}: this process does not lead any more`);
        }
        const reported = facts.pods.flatMap((pod) => (pod.state.kind === "known" ? [pod.state.value.epoch] : []));
        const answer = await fencing.hold(cluster, reported, context.signal);
        if (answer.kind === "foreign") {
          throw new ActError("deposed", `cannot act on ${key}: installation ${answer.installation} operates it`);
        }
        if (answer.kind === "deposed") {
          throw new ActError("deposed", `cannot act on ${key}: epoch ${answer.epoch} was taken by a newer leader`);
        }
        if (answer.written !== undefined) ownWrites.wrote(key, resources.webSocketClusters, answer.written);
        return answer.epoch;
      })());
    // Before the first write of any kind: two installations must not both begin.
    if (fencing.isUnclaimed(cluster)) await fence();
    return act(
      plan,
      {
        scope: key,
        facts,
        memory: mine.memory,
        settled: mine.settled,
        fence,
        adminKey: this.#adminKeyOf(namespace, name),
        signal: context.signal,
      },
      {
        api,
        applier: this.#applier,
        ownWrites,
        storeOf: (resource) => caches.storeOf(resource, namespace),
        writer,
        randomKey,
        nowMs: () => clock.nowMs(),
        mayAct: this.#ports.mayAct,
      },
    );
  }

  /** Returns in how many milliseconds a held-back write is due. */
  async #writeStatus(
    key: string,
    cluster: CustomObject,
    mine: Remembered,
    next: WebSocketClusterStatus,
    live: WebSocketClusterStatus | undefined,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { api, clock } = this.#ports;
    const text = JSON.stringify(next);
    if (mine.lastStatus?.next === text && mine.lastStatus.stored === JSON.stringify(cluster.status ?? {}))
      return undefined;
    const verdict = judgeStatus(next, live, mine.lastStatusMs, clock.monotonicMs());
    if (verdict.kind === "same") return undefined;
    if (verdict.kind === "later") return verdict.inMs;
    const { namespace = "default", name } = cluster.metadata;
    const written = await api.applyStatus(
      resources.webSocketClusters,
      { apiVersion: cluster.apiVersion, kind: cluster.kind, metadata: { namespace, name }, status: next },
      { signal },
    );
    mine.lastStatusMs = clock.monotonicMs();
    mine.lastStatus = { next: text, stored: JSON.stringify(written.status ?? {}) };
    this.#writesOf(namespace).wrote(key, resources.webSocketClusters, written);
    return undefined;
  }

  /** A record that cannot be written is a pity, and no reason to stop a rollout. */
  async #record(key: string, facts: ClusterFacts, plan: Plan, mine: Remembered, signal: AbortSignal) {
    try {
      return await mine.recorder.flush(facts, plan, signal);
    } catch (error) {
      this.#ports.log.warn({ key, error: String(error) }, "cannot write the flight recorder");
      return RECORD_EVERY_MS;
    }
  }

  #yieldTo(cluster: CustomObject, mine: Remembered, foreign: string): ReconcileResult {
    const { clock } = this.#ports;
    // Told as an event: two installations that both wrote conditions would overwrite each other for ever.
    this.#warnOnce(
      cluster,
      mine,
      "OwnedElsewhere",
      `installation ${foreign} operates this cluster; this one does nothing. Remove one of them`,
    );
    return { kind: "done", requeueAfterMs: 10_000 + (clock.monotonicMs() % 1_000) };
  }

  #warnOnce(cluster: CustomObject, mine: Remembered, reason: EventReason, message: string): void {
    const text = `${reason} ${message}`;
    if (mine.lastWarning === text) return;
    mine.lastWarning = text;
    this.#tell(cluster, { reason, message });
  }

  #tell(cluster: CustomObject, event: EventValue): void {
    const { type } = EVENT_REASONS[event.reason];
    const { reason, message } = event;
    this.#ports.events.record({ regarding: regardingOf(cluster), type, reason, action: "Reconcile", note: message });
  }

  #rememberedFor(key: string, cluster: CustomObject): Remembered {
    const present = this.#clusters.get(key);
    if (present !== undefined && present.uid === cluster.metadata.uid) return present;
    if (present !== undefined) this.#forget(key);
    const created: Remembered = {
      uid: cluster.metadata.uid,
      memory: new ClusterMemory(this.#ports.clock.nowMs()),
      settled: new Map(),
      lastStatusMs: undefined,
      lastStatus: undefined,
      lastWarning: undefined,
      recorder: this.#recorderFor(cluster.metadata.namespace ?? "default"),
      quota: undefined,
      balance: new BalanceMemory(),
      autoscaler: new AutoscaleMemo(),
    };
    this.#clusters.set(key, created);
    return created;
  }

  #recorderFor(namespace: string): Recorder {
    const { api, caches, clock } = this.#ports;
    return new Recorder({
      api,
      stored: (name) => caches.ofCluster(caches.configMaps, namespace, name),
      monotonicMs: () => clock.monotonicMs(),
    });
  }

  #forget(key: string): void {
    this.#clusters.delete(key);
    this.#ports.poller.forget(key);
    this.#ports.gates?.rest(key);
    this.#ports.scraper?.forget(key);
    this.#ports.metrics?.forget(key);
    for (const writes of this.#ownWrites.values()) writes.forget(key);
  }

  #writesOf(namespace: string): OwnWrites {
    const { caches, clock } = this.#ports;
    const present = this.#ownWrites.get(namespace);
    if (present !== undefined) return present;
    const created = new OwnWrites(
      (resource) => caches.storeOf(resource, namespace),
      () => clock.monotonicMs(),
    );
    this.#ownWrites.set(namespace, created);
    return created;
  }
}

function paceOf(cluster: CustomObject): PaceLimits {
  const moves = webSocketClusterSpec.shape.moves.safeParse(fieldOf(cluster.spec, "moves"));
  return paceLimitsOf(moves.success ? moves.data : undefined);
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

function scrapeTargetsOf(facts: ClusterFacts): ScrapeTarget[] {
  return facts.pods.flatMap((pod): ScrapeTarget[] =>
    pod.ip === undefined || !pod.running || pod.set !== "attached"
      ? []
      : [{ uid: pod.uid, host: pod.ip, port: adminPortOf(facts, pod), path: CONTRACT_PATHS.metrics }],
  );
}

function pollTargetsOf(facts: ClusterFacts): PollTarget[] {
  const servers = facts.pods.flatMap((pod): PollTarget[] =>
    pod.ip === undefined || !pod.running
      ? []
      : [{ uid: pod.uid, key: pod.key, kind: "server", host: pod.ip, port: adminPortOf(facts, pod) }],
  );
  const edges = facts.edgePods.flatMap((pod): PollTarget[] =>
    pod.ip === undefined || !pod.running
      ? []
      : [{ uid: pod.uid, key: pod.key, kind: "edge", host: pod.ip, port: PORTS.edgeAdmin }],
  );
  return [...servers, ...edges];
}
