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
import { OPERATOR_METRICS } from "./cluster/metrics.ts";
import { createJsonSender } from "./contract/http-json.ts";
import { StatePoller } from "./contract/poller.ts";
import { ContractWriter } from "./contract/writer.ts";
import { Connection, EventRecorder, KubeClient, LeaderElector, loadAccess } from "./kube/index.ts";
import type { RunConfig } from "./run-config.ts";
import { Controller, systemClock } from "./runtime/index.ts";

const CONTROLLER = "websocketcluster";

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
      "GET /metrics": async () => ({ status: 200, body: await metrics.text(), contentType: metrics.contentType }),
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

type Term = { enqueue(key: string): void; stop(): Promise<void> };

type TermParts = {
  readonly config: RunConfig;
  readonly client: KubeClient;
  readonly caches: Caches;
  readonly sender: ReturnType<typeof createJsonSender>;
  readonly events: EventRecorder;
  readonly log: Logger;
  readonly metrics: ReturnType<typeof createMetrics<typeof OPERATOR_METRICS>>;
  readonly isLeader: () => boolean;
  readonly signal: AbortSignal;
};

/** Everything that remembers is made anew with each term: an old bucket or epoch must not come back to life. */
function startTerm(parts: TermParts): Term {
  const { config, client, caches, sender, log, metrics, signal } = parts;
  const clock = systemClock;
  const poller = new StatePoller({ clock, send: sender.send, onPolled: (key) => controller.enqueue(key) });
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
    }),
    mayAct: parts.isLeader,
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
    onPass: ({ key, outcome, durationMs, error, retryInMs }) => {
      metrics.add("controller_runtime_reconcile_total", 1, { controller: CONTROLLER, result: outcome });
      metrics.observe("controller_runtime_reconcile_time_seconds", durationMs / 1_000, { controller: CONTROLLER });
      metrics.set("controller_runtime_active_workers", controller.activeWorkers, { controller: CONTROLLER });
      if (outcome !== "error") return;
      metrics.add("controller_runtime_reconcile_errors_total", 1, { controller: CONTROLLER });
      log.warn({ key, error: textOf(error), retryInMs }, "pass failed");
    },
    queueHooks: {
      onDepth: (depth) => metrics.set("workqueue_depth", depth, { name: CONTROLLER }),
      onAdd: () => metrics.add("workqueue_adds_total", 1, { name: CONTROLLER }),
      onTaken: (_key, waitedMs) =>
        metrics.observe("workqueue_queue_duration_seconds", waitedMs / 1_000, { name: CONTROLLER }),
    },
  });
  metrics.set("controller_runtime_max_concurrent_reconciles", config.WSC_WORKERS, { controller: CONTROLLER });
  let isStopped = false;
  // No decision before every cache is full: what is missing would be made again.
  void caches.waitForSync(signal).then((synced) => {
    if (!synced || isStopped || signal.aborted) return;
    for (const key of caches.keys()) controller.enqueue(key);
    controller.start();
  });
  return {
    enqueue: (key) => controller.enqueue(key),
    async stop() {
      isStopped = true;
      poller.stop();
      await controller.stop();
    },
  };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
