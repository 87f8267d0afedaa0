// Puts the operator together: caches, poller, leader election, controller, admin port. Called by the command `run`.
import { randomBytes, randomUUID } from "node:crypto";
import {
  createAdminServer,
  createLifecycle,
  createLogger,
  createMetrics,
  handleSignals,
  type Logger,
} from "@wscluster/platform";
import { Caches } from "./cluster/caches.ts";
import { ClusterReconciler } from "./cluster/controller.ts";
import { Fencing } from "./cluster/fencing.ts";
import { ClusterMetrics, type OperatorMetrics } from "./cluster/cluster-metrics.ts";
import { OPERATOR_METRICS } from "./cluster/metrics.ts";
import { OperatorSwitches } from "./cluster/switches.ts";
import { createJsonSender } from "./contract/http-json.ts";
import { StatePoller } from "./contract/poller.ts";
import { ContractWriter } from "./contract/writer.ts";
import { createGates } from "./gates/gates.ts";
import { Connection, EventRecorder, KubeClient, LeaderElector, loadAccess } from "./kube/index.ts";
import { controllerMetricsFor } from "./controller-metrics.ts";
import type { RunConfig } from "./run-config.ts";
import { Controller, systemClock } from "./runtime/index.ts";
import { createTextFetcher, Scraper } from "./signals/index.ts";

const CONTROLLER = "websocketcluster";
/** A new leader reads its switches before it acts; where they cannot be read, it acts all the same. */
const SWITCHES_WAIT_MS = 5_000;

export type RunOptions = {
  readonly config: RunConfig;
  readonly kubeconfigPath?: string;
  readonly inCluster: boolean;
};

/** Runs until SIGTERM or SIGINT. Resolves with the exit code. */
export async function runOperator({ config, kubeconfigPath, inCluster }: RunOptions): Promise<number> {
  const clock = systemClock;
  const log = createLogger(config.WSC_LOG_LEVEL, { pod: config.POD_NAME });
  const metrics = createMetrics(OPERATOR_METRICS, true);
  const access = loadAccess({ inCluster, ...(kubeconfigPath === undefined ? {} : { kubeconfigPath }) });
  const clientFor = () =>
    new KubeClient({
      connection: new Connection(access, clock),
      clock,
      fieldManager: "wscluster-operator",
      onRequest: (report) =>
        metrics.add("rest_client_requests_total", 1, { code: String(report.status), method: report.verb }),
    });
  const client = clientFor();
  const problem = (of: object, error: unknown): void => log.warn({ ...of, error: textOf(error) }, "API server");
  const caches = new Caches({
    client,
    clock,
    random: Math.random,
    namespaces: config.WSC_NAMESPACES,
    onProblem: ({ resource, doing, error }) => problem({ resource, doing }, error),
  });
  const switches = new OperatorSwitches({
    client,
    clock,
    random: Math.random,
    namespace: config.WSC_OPERATOR_NAMESPACE,
    name: config.WSC_LEASE_NAME,
    onProblem: ({ doing, error }) => problem({ resource: "the operator's ConfigMap", doing }, error),
  });
  const onSwitch = (movesPaused: boolean): void => {
    log.warn({ movesPaused }, movesPaused ? "every move is stopped" : "moves go on");
    for (const key of caches.keys()) term?.enqueue(key);
  };
  const sender = createJsonSender();
  const events = new EventRecorder({
    client,
    controller: "wscluster.io/operator",
    instance: config.POD_NAME,
    clock,
    random: Math.random,
  });
  let term: Term | undefined;
  const elector = new LeaderElector({
    // A connection of its own: a busy controller must not starve the renewals.
    client: clientFor(),
    namespace: config.WSC_OPERATOR_NAMESPACE,
    name: config.WSC_LEASE_NAME,
    identity: `${config.POD_NAME}_${randomUUID()}`,
    clock,
    random: Math.random,
    onStartedLeading: ({ signal, transitions }) => {
      log.info({ transitions }, "leading");
      metrics.set("leader_election_master_status", 1, { name: config.WSC_LEASE_NAME });
      term = startTerm({
        config,
        client,
        caches,
        sender,
        events,
        log,
        metrics,
        switches,
        isLeader: () => elector.isLeader(),
        signal,
      });
    },
    onStoppedLeading: async (why) => {
      log.info({ why }, "not leading");
      metrics.set("leader_election_master_status", 0, { name: config.WSC_LEASE_NAME });
      await term?.stop();
      term = undefined;
    },
    onProblem: (error) => problem({ doing: "lease" }, error),
  });
  const admin = createAdminServer(
    { port: config.WSC_HTTP_PORT },
    {
      "GET /livez": () => ({ status: 200, body: "ok" }),
      // Standby is ready too: leadership is not readiness, or an upgrade would wait for itself.
      "GET /readyz": () =>
        caches.hasSynced() ? { status: 200, body: "ok" } : { status: 503, body: "caches have not synced" },
      "GET /metrics": async () => {
        term?.collect();
        metrics.set("wscluster_operator_moves_paused", switches.movesPaused ? 1 : 0);
        return { status: 200, body: await metrics.text(), contentType: metrics.contentType };
      },
    },
  );
  const onChange = (key: string): void => term?.enqueue(key);
  const lifecycle = createLifecycle(
    [
      {
        name: "admin port",
        async start() {
          log.info({ port: await admin.start() }, "admin port");
        },
        stop: () => admin.stop(),
        stopWithinMs: 2_000,
      },
      { name: "pod connections", stop: () => sender.close(), stopWithinMs: 1_000 },
      { name: "events", stop: () => events.stop(), stopWithinMs: 3_000 },
      { name: "caches", start: () => caches.start(onChange), stop: () => caches.stop(), stopWithinMs: 5_000 },
      { name: "switches", start: () => switches.start(onSwitch), stop: () => switches.stop(), stopWithinMs: 2_000 },
      { name: "election", start: () => elector.start(), stop: () => elector.stop(), stopWithinMs: 15_000 },
    ],
    log,
  );
  metrics.set("leader_election_master_status", 0, { name: config.WSC_LEASE_NAME });
  await lifecycle.start();
  return new Promise((resolve) => {
    handleSignals(
      process,
      (signal) => {
        log.info({ signal }, "stopping");
        void lifecycle.stop().then((late) => resolve(late.length === 0 ? 0 : 1));
      },
      () => resolve(1),
    );
  });
}

type Term = { enqueue(key: string): void; collect(): void; stop(): Promise<void> };

type TermParts = {
  readonly config: RunConfig;
  readonly client: KubeClient;
  readonly caches: Caches;
  readonly sender: ReturnType<typeof createJsonSender>;
  readonly events: EventRecorder;
  readonly log: Logger;
  readonly metrics: OperatorMetrics;
  readonly switches: OperatorSwitches;
  readonly isLeader: () => boolean;
  readonly signal: AbortSignal;
};

/** Everything that remembers is made anew with each term: an old bucket or epoch must not come back to life. */
function startTerm(parts: TermParts): Term {
  const { config, client, caches, sender, log, metrics, signal } = parts;
  const clock = systemClock;
  const clusters = new ClusterMetrics(metrics);
  const loop = controllerMetricsFor(metrics, CONTROLLER, config.WSC_WORKERS, () => controller);
  const poller = new StatePoller({ clock, send: sender.send, onPolled: (key) => controller.enqueue(key) });
  const judges = createGates({
    clock,
    onNews: (key) => controller.enqueue(key),
    webhooksAllowed: config.WSC_WEBHOOK_ALLOW,
    count: (gate, result) => metrics.add("wscluster_operator_gate_calls_total", 1, { gate, result }),
  });
  const fetcher = createTextFetcher(clock);
  const scraper = new Scraper({ clock, fetch: fetcher.fetch });
  const reconciler = new ClusterReconciler({
    api: client,
    caches,
    poller,
    writer: new ContractWriter(sender.send),
    events: parts.events,
    clock,
    randomKey: () => randomBytes(32).toString("base64url"),
    defaults: { agentImage: config.WSC_AGENT_IMAGE, edgeImage: config.WSC_EDGE_IMAGE },
    fencing: new Fencing({
      api: client,
      clock,
      installation: `${config.WSC_OPERATOR_NAMESPACE}/${config.WSC_LEASE_NAME}`,
      term: randomUUID(),
    }),
    mayAct: parts.isLeader,
    gates: judges.gates,
    scraper,
    operatorPaused: () => parts.switches.movesPaused,
    metrics: clusters,
    log,
  });
  const controller: Controller = new Controller({
    name: CONTROLLER,
    clock,
    random: Math.random,
    workers: config.WSC_WORKERS,
    reconcile: (key, context) =>
      reconciler.reconcile(key, { ...context, signal: AbortSignal.any([context.signal, signal]) }),
    resync: { everyMs: 10 * 60_000, keys: () => caches.keys() },
    onPass: (pass) => {
      loop.onPass(pass);
      if (pass.outcome !== "error") return;
      log.warn({ key: pass.key, error: textOf(pass.error), retryInMs: pass.retryInMs }, "pass failed");
    },
    queueHooks: loop.queueHooks,
  });
  let isStopped = false;
  // No decision before every cache is full: what is missing would be made again.
  void Promise.all([caches.waitForSync(signal), parts.switches.settle(SWITCHES_WAIT_MS)]).then(([synced]) => {
    if (!synced || isStopped || signal.aborted) return;
    for (const key of caches.keys()) controller.enqueue(key);
    controller.start();
  });
  return {
    enqueue: (key) => controller.enqueue(key),
    collect: () => loop.collect(),
    async stop() {
      isStopped = true;
      poller.stop();
      judges.close();
      scraper.stop();
      fetcher.close();
      await controller.stop();
      clusters.clear();
    },
  };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
