// A small world in which stories are told second by second: API objects, ReplicaSets, pods, edges, counted clients and the
// operator's real observe -> decide. Test code only. It judges too: what must never happen is written down as a fault.
import {
  ANNOTATIONS,
  API_VERSION,
  childNames,
  KIND,
  LABELS,
  REBALANCE_KIND,
  type WebSocketClusterStatus,
} from "@wscluster/crds";
import { podKey } from "@wscluster/protocol";
import { type ArrivalRecord, nextArrivals } from "../../contract/arrivals.ts";
import { type PaceLimits, paceLimitsOf } from "../../moves/limits.ts";
import type { PodSignal } from "../../signals/index.ts";
import { AutoscaleMemo } from "../autoscale-memo.ts";
import { BalanceMemory } from "../balance-memory.ts";
import type { GrantReport } from "../cluster-metrics.ts";
import { decide } from "../decide/index.ts";
import { attachedPods } from "../decide/sets.ts";
import { lawViolation } from "../decide/victims.ts";
import type { ClusterFacts, GateFacts } from "../facts.ts";
import { ClusterMemory } from "../memory.ts";
import { type Observation, observe, type Sources } from "../observe.ts";
import type { Action, Plan } from "../plan.ts";
import { judgeStatus } from "../status-writer.ts";
import { Fleet } from "./fleet.ts";
import { ObjectTable, type Stored } from "./objects.ts";
import { conditionText, parseOwners, signalFor, setsText } from "./telling.ts";
import { seededRandom } from "../../runtime/seeded-random.ts";
import { shuffled } from "./random.ts";
import { deletePod, mayEvict, podViews, record, runKubelet, runReplicaSets, runTerminations } from "./workloads.ts";

export const START_MS = Date.parse("2030-01-01T00:00:00.000Z");
const NAME = "chat";
const CLUSTER_UID = "aaaaaaaa-0000-4000-8000-000000000000";
const OWNER = { apiVersion: API_VERSION, kind: KIND, name: NAME, uid: CLUSTER_UID, controller: true };

export type Spec = Record<string, unknown>;

export class World {
  readonly table = new ObjectTable();
  readonly fleet = new Fleet();
  readonly log: string[] = [];
  /** What must never happen and did. */
  readonly faults: string[] = [];
  nowMs = START_MS;
  writes = 0;
  /** Actions that were sent, without status writes. */
  actions = 0;
  operatorIsUp = true;
  canReadNodes = true;
  /** The kill switch of the whole operator. */
  operatorPaused = false;
  /** What the gates outside say, by point; absent = nothing is configured. */
  gates: Record<string, GateFacts> = {};
  /** Somebody else's deadline was seen: the emergency pace holds. */
  isEmergency = false;
  readonly #drained = new Set<string>();
  defaults = { agentImage: "operator:1", edgeImage: "haproxy:1" };
  arrivalsPerSecond = 0;
  /** Pods whose metrics cannot be scraped. */
  readonly silentPods = new Set<string>();
  cameByThemselves = 0;
  /** Told when a story replaces the operator. */
  onRestart: (() => void) | undefined;
  /** Stops the operator after so many sent actions, once. */
  crashAfter: number | undefined;
  /** Sees each pass whose actions were done. */
  onPass: ((facts: ClusterFacts, plan: Plan, grants: readonly GrantReport[]) => void) | undefined;
  readonly #random: () => number;
  #memory: ClusterMemory;
  #balance = new BalanceMemory();
  #autoscaler = new AutoscaleMemo();
  #arrivals = new Map<string, ArrivalRecord>();
  #epoch = 1;
  #told = "";
  #lastStatusMs: number | undefined;
  #detached = new Set<string>();
  #granted: GrantReport[] = [];

  /** @param seed 0 tells everything in order; any other number shuffles what has no order. */
  constructor(spec: Spec, seed = 0) {
    this.#random = seed === 0 ? () => 0.999_999 : seededRandom(seed);
    this.#memory = new ClusterMemory(this.nowMs);
    this.table.put({
      apiVersion: API_VERSION,
      kind: KIND,
      metadata: { name: NAME, namespace: "apps", uid: CLUSTER_UID },
      spec,
    });
    this.cluster.metadata.generation = 1;
    this.addNode("node-1");
  }

  addNode(name: string): void {
    this.table.put({ apiVersion: "v1", kind: "Node", metadata: { name, uid: `node-${name}` }, spec: {} });
  }

  /** Sets what a node says of itself: `unschedulable`, `taints`. */
  setNode(name: string, spec: Record<string, unknown>): void {
    const node = this.table.get("Node", name);
    if (node !== undefined) this.table.put({ ...node, spec });
  }

  /** `kubectl drain`: cordon, then evict every server pod there again and again until all are gone. */
  drainNode(name: string): void {
    this.setNode(name, { unschedulable: true });
    this.#drained.add(name);
  }

  /** Deletes a pod as somebody else would. */
  deletePod(name: string): void {
    const pod = this.table.get("Pod", name);
    if (pod === undefined) return;
    this.isEmergency = true;
    deletePod(this.table, this.fleet, pod, this.nowMs);
  }

  #evict(): void {
    for (const pod of podViews(this.table)) {
      if (pod.deleting || pod.labels[LABELS.component] !== "server" || !this.#drained.has(pod.node ?? "")) continue;
      if (mayEvict(this.table, pod)) this.deletePod(pod.name);
    }
  }

  get cluster(): Stored {
    const cluster = this.table.get(KIND, NAME);
    if (cluster === undefined) throw new Error("the story lost its cluster");
    return cluster;
  }

  get status(): WebSocketClusterStatus {
    return record(this.cluster["status"]);
  }

  setSpec(change: Spec): void {
    const spec = { ...record(this.cluster["spec"]), ...change };
    const generation = (this.cluster.metadata.generation ?? 1) + 1;
    this.table.put({ ...this.cluster, spec });
    this.cluster.metadata.generation = generation;
  }

  wipeStatus(): void {
    const { status: _gone, ...rest } = this.cluster;
    this.table.put({ ...rest });
  }

  restartOperator(): void {
    this.onRestart?.();
    this.#memory = new ClusterMemory(this.nowMs);
    this.#balance = new BalanceMemory();
    this.#autoscaler = new AutoscaleMemo();
    this.#arrivals = new Map();
    this.#lastStatusMs = undefined;
    this.#epoch++;
  }

  /** Makes a ReplicaSet look as if an older renderer had written it. */
  ageTemplate(set: Stored): void {
    const annotations = { ...set.metadata.annotations };
    const old = (annotations[ANNOTATIONS.template] ?? "").replaceAll('"enableServiceLinks":false,', "");
    annotations[ANNOTATIONS.template] = old;
    annotations[ANNOTATIONS.rendererVersion] = "0";
    const spec = record(set["spec"]);
    const { metadata } = record(spec["template"]);
    const template = { metadata, spec: record(JSON.parse(old))["spec"] };
    this.table.put({ ...set, spec: { ...spec, template }, metadata: { ...set.metadata, annotations } });
  }

  ageEdgeConfig(): void {
    for (const map of this.table.list("ConfigMap")) {
      const data = record(map["data"]);
      if (typeof data["haproxy.cfg"] === "string") {
        this.table.put({ ...map, data: { "haproxy.cfg": `# older\n${data["haproxy.cfg"]}` } });
      }
    }
  }

  /** Lets seconds pass; `until` ends it early. Returns whether `until` came true. */
  run(seconds: number, until?: () => boolean): boolean {
    for (let second = 0; second < seconds; second++) {
      this.#tick();
      if (until?.() === true) return true;
    }
    return until === undefined;
  }

  say(line: string): void {
    this.log.push(`${this.#stamp()} ${line}`);
  }

  #stamp(): string {
    return `+${String((this.nowMs - START_MS) / 1000).padStart(3, " ")}s`;
  }

  #tick(): void {
    this.beginSecond();
    if (this.operatorIsUp) this.#pass();
    this.endSecond();
  }

  /** What happens in a second before the operator looks. */
  beginSecond(): void {
    this.nowMs += 1_000;
    this.fleet.nowMs = this.nowMs;
    this.fleet.completeMoves();
    this.fleet.keepDeadlines();
    this.#evict();
    runTerminations(this.table, this.fleet, this.nowMs);
    this.fleet.comeBack();
    runKubelet(this.table, this.fleet, this.nowMs);
    runReplicaSets(this.table, this.fleet, this.#random, this.nowMs);
    this.#syncEdges();
    if (this.arrivalsPerSecond > 0)
      this.cameByThemselves += this.arrivalsPerSecond - this.fleet.arrive(this.arrivalsPerSecond);
    for (const server of this.fleet.servers.values()) {
      const state = this.fleet.stateOf(server.uid);
      if (state !== undefined)
        this.#arrivals.set(server.uid, nextArrivals(this.#arrivals.get(server.uid), state, this.nowMs));
    }
  }

  endSecond(): void {
    this.#tellSets();
    this.#judge();
  }

  #syncEdges(): void {
    const text = record(this.table.get("ConfigMap", childNames(NAME).edgeInstructions)?.["data"])["state.json"];
    const instructions = typeof text === "string" ? JSON.parse(text) : undefined;
    const pods = podViews(this.table);
    const servers = pods
      .filter((pod) => pod.labels[LABELS.component] === "server" && pod.phase !== "Pending")
      .map((pod) => ({
        key: podKey(pod.uid),
        revision: pod.labels[LABELS.revision] ?? "",
        ready: pod.ready,
        traffic: pod.labels[LABELS.traffic] ?? "none",
        set: pod.labels[LABELS.set] ?? "attached",
      }));
    this.fleet.serviceEdges = pods
      .filter((pod) => pod.labels[LABELS.component] === "edge" && pod.ready && pod.labels[LABELS.traffic] === "active")
      .map((pod) => pod.uid);
    for (const pod of pods) {
      if (pod.labels[LABELS.component] === "edge" && pod.phase === "Running") {
        this.fleet.syncEdge(pod.uid, instructions, servers);
      }
    }
  }

  observe(): Observation {
    return observe(this.#sources());
  }

  facts(): ClusterFacts {
    const observed = this.observe();
    if (observed.kind !== "valid") throw new Error(observed.message);
    return observed.facts;
  }

  #sources(): Sources {
    const { table, fleet, nowMs } = this;
    const known = <T>(value: T | undefined) =>
      value === undefined
        ? ({ kind: "unknown", why: "nobody answers" } as const)
        : ({ kind: "known", value, ageMs: 0 } as const);
    const list = (kind: string) => shuffled(table.list(kind), this.#random);
    return {
      nowMs,
      cluster: this.cluster,
      replicaSets: list("ReplicaSet"),
      pods: list("Pod"),
      configMaps: list("ConfigMap"),
      budgets: list("PodDisruptionBudget"),
      keysExist: table.get("Secret", childNames(NAME).keys) !== undefined,
      podState: (uid) => known(fleet.stateOf(uid)),
      edgeState: (uid) => known(fleet.edgeStateOf(uid)),
      arrivals: (uid) => {
        const arrival = this.#arrivals.get(uid);
        return arrival === undefined ? undefined : { steadyFromMs: arrival.fromMs, steadyToMs: arrival.toMs };
      },
      nodes: this.canReadNodes ? list("Node") : undefined,
      memory: this.#memory.facts(nowMs, this.#limits()),
      defaults: this.defaults,
      gates: (at) => this.gates[at.point] ?? {},
      operatorPaused: this.operatorPaused,
      autoscale: this.#autoscaler.facts,
    };
  }

  #limits(): PaceLimits {
    const { maxPerSecond, emergencyMaxPerSecond } = record(record(this.cluster["spec"])["moves"]);
    const rateOf = (rate: unknown) => (typeof rate === "number" ? rate : undefined);
    return paceLimitsOf({
      maxPerSecond: rateOf(maxPerSecond),
      emergencyMaxPerSecond: rateOf(emergencyMaxPerSecond),
    });
  }

  #pass(): void {
    const observed = this.facts();
    const balance = this.#balance.look({
      facts: observed,
      objects: this.rebalances,
      signals: this.#signals(),
      monotonicMs: this.nowMs,
    });
    const facts: ClusterFacts = { ...observed, balance };
    const plan = decide(facts);
    this.#memory.observe(plan, this.nowMs);
    this.#memory.learnPace(plan.pressures, this.#limits(), this.nowMs);
    this.#detached = new Set();
    this.#granted = [];
    for (const action of plan.actions) {
      const sent = this.#do(action, facts);
      if (!sent) continue;
      this.writes++;
      this.actions++;
      if (this.crashAfter !== undefined && --this.crashAfter <= 0) {
        this.crashAfter = undefined;
        this.say("the operator dies between two actions");
        this.restartOperator();
        return;
      }
    }
    this.#balance.note(plan.balance, this.#granted, facts, this.nowMs);
    const scaled = this.#autoscaler.next(facts, plan, this.nowMs);
    this.onPass?.(facts, plan, this.#granted);
    this.#writeStatus(plan, facts);
    for (const event of [...plan.events, ...scaled.events]) this.say(`event ${event.reason}: ${event.message}`);
  }

  #writeStatus(plan: Plan, facts: ClusterFacts): void {
    const verdict = judgeStatus(plan.status, facts.cluster.status, this.#lastStatusMs, this.nowMs);
    if (verdict.kind !== "write") return;
    const before = conditionText(facts.cluster.status);
    this.table.put({ ...this.cluster, status: plan.status });
    this.#lastStatusMs = this.nowMs;
    this.writes++;
    const after = conditionText(plan.status);
    if (before !== after) this.say(`status ${after}`);
  }

  /** Does one action as the API server and the pods would. Returns whether anything had to be sent. */
  #do(action: Action, facts: ClusterFacts): boolean {
    switch (action.kind) {
      case "apply": {
        const { manifest } = action;
        const set = facts.sets.find((one) => one.name === manifest.metadata.name);
        if (manifest.kind === "ReplicaSet" && set !== undefined) {
          const replicas = Number(record(manifest["spec"])["replicas"]);
          const broken = lawViolation(set, attachedPods(facts.pods, set), replicas, this.#detached);
          if (broken !== undefined) this.faults.push(`law: ${broken}`);
        }
        return this.table.apply(manifest, this.nowMs).sent;
      }
      case "createKeys":
        this.table.put({ apiVersion: "v1", kind: "Secret", metadata: { name: action.name, namespace: "apps" } });
        return true;
      case "patchPod":
        return this.#patchPod(action);
      case "delete":
        return this.#delete(action);
      case "rebalanceStatus":
        return this.#changeRebalance(action.name, { status: action.status });
      case "adoptRebalance":
        return this.#changeRebalance(action.name, {}, { ownerReferences: [OWNER] });
      case "mode":
        if (!this.fleet.setMode(action.pod, action.request, this.#epoch)) this.faults.push("a mode write was refused");
        return true;
      case "grants":
        for (const grant of action.grants) {
          if (!this.#memory.spend(grant, this.nowMs, this.#limits())) continue;
          this.#granted.push({ grant, outcome: "accepted" });
          if (!this.fleet.grant(grant.source, grant, this.#epoch, this.nowMs)) this.faults.push("a grant was refused");
        }
        return true;
    }
  }

  #changeRebalance(name: string, change: Record<string, unknown>, metadata: Record<string, unknown> = {}): boolean {
    const live = this.table.get(REBALANCE_KIND, name);
    if (live === undefined) return false;
    this.table.put({ ...live, ...change, metadata: { ...live.metadata, ...metadata } });
    return true;
  }

  /** What a user writes into a WebSocketRebalance; makes one where there is none. */
  setRebalance(name: string, spec: Spec): void {
    const live = this.table.get(REBALANCE_KIND, name);
    const metadata = live?.metadata ?? {
      name,
      namespace: "apps",
      creationTimestamp: new Date(this.nowMs).toISOString(),
    };
    const before = record(live?.["spec"]);
    const object = { apiVersion: API_VERSION, kind: REBALANCE_KIND, ...live, metadata };
    this.table.put({ ...object, spec: { clusterName: NAME, ...before, ...spec } });
  }

  get rebalances(): Stored[] {
    return this.table.list(REBALANCE_KIND);
  }

  /** As if every pod were scraped each second: its load is its connections, and a part of each hangs on the key of one. */
  #signals(): ReadonlyMap<string, PodSignal> {
    return new Map(
      [...this.fleet.servers.values()]
        .filter((server) => !this.silentPods.has(server.uid))
        .map((server) => [server.uid, signalFor(server.connections, this.nowMs)]),
    );
  }

  #patchPod(action: Extract<Action, { kind: "patchPod" }>): boolean {
    const pod = this.table.get("Pod", action.pod);
    if (pod === undefined) return false;
    const labels = { ...pod.metadata.labels };
    const annotations = { ...pod.metadata.annotations };
    let owners = pod.metadata.ownerReferences;
    for (const operation of action.operations) {
      if (operation.op === "test") {
        const live = operation.path === "/metadata/uid" ? pod.metadata.uid : pod.metadata.resourceVersion;
        if (live !== operation.value) return false;
      } else if (operation.path === "/metadata/ownerReferences" && operation.op === "replace") {
        owners = parseOwners(operation.value);
        this.#detached.add(pod.metadata.uid);
      } else if (operation.op === "replace" || operation.op === "add") {
        const [, , map = "", key = ""] = operation.path.split("/");
        (map === "labels" ? labels : annotations)[key.replace("~1", "/")] = String(operation.value);
      }
    }
    this.table.put({
      ...pod,
      metadata: { ...pod.metadata, labels, annotations, ...(owners === undefined ? {} : { ownerReferences: owners }) },
    });
    return true;
  }

  #delete(action: Extract<Action, { kind: "delete" }>): boolean {
    const kind = {
      pods: "Pod",
      replicaSets: "ReplicaSet",
      podDisruptionBudgets: "PodDisruptionBudget",
      configMaps: "ConfigMap",
      webSocketRebalances: REBALANCE_KIND,
    }[action.resource];
    const live = this.table.get(kind, action.name);
    if (live?.metadata.uid !== action.uid) return false;
    if (kind === "Pod") deletePod(this.table, this.fleet, live, this.nowMs);
    else this.table.remove(kind, action.name);
    return true;
  }

  #tellSets(): void {
    const told = setsText(this.table, this.fleet);
    if (told === this.#told) return;
    this.#told = told;
    this.say(told);
  }

  #judge(): void {
    const roles = this.table.list("ReplicaSet").map((set) => set.metadata.annotations?.[ANNOTATIONS.role]);
    for (const role of ["candidate", "stable"]) {
      if (roles.filter((one) => one === role).length > 1) this.#faultOnce(`two sets are ${role}`);
    }
    for (const edge of this.fleet.edges.values()) {
      if (edge.takesNew.length > 1) this.#faultOnce("an edge was told of two takers");
    }
    if (this.fleet.cut > 0) this.#faultOnce(`${this.fleet.cut} clients were cut`);
    if (this.fleet.unknownTargets > 0) this.#faultOnce("a grant named a pod that an edge did not know");
    const limits = this.#limits();
    const rate = this.isEmergency ? limits.emergencyMaxPerSecond : limits.maxPerSecond;
    const recent = this.fleet.granted.filter((grant) => this.nowMs - grant.atMs < 1_000);
    const sum = recent.reduce((all, grant) => all + grant.count, 0);
    if (sum > rate) this.#faultOnce(`${sum} connections granted in one second, ${rate} allowed`);
  }

  #faultOnce(fault: string): void {
    if (!this.faults.includes(fault)) this.faults.push(fault);
  }
}
