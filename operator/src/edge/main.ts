// Composition root of the edge agent: the only file here that touches the process, real sockets and the real clock.
import { dirname, join } from "node:path";
import { createAdminServer, createLogger, handleSignals, loadConfig } from "@wscluster/platform";
import { podKey } from "@wscluster/protocol";
import { Connection, KubeClient, loadAccess } from "../kube/index.ts";
import { systemClock } from "../runtime/index.ts";
import { EdgeAgent } from "./agent.ts";
import { EdgeBrake } from "./brake.ts";
import { edgeConfigSchema, type EdgeConfig } from "./config.ts";
import { edgeMetrics, noCounts } from "./counters.ts";
import { HaproxyProxy } from "./proxy.ts";
import { edgeRoutes } from "./routes.ts";
import { fileSnapshots } from "./snapshot.ts";
import { kubeSource, type EdgeSource } from "./source.ts";
import { Termination } from "./termination.ts";

export class EdgeConfigError extends Error {
  readonly code = "bad-config";
}

/**
 * Runs the agent until the pod ends. Resolves with the exit code.
 * @param env see `edgeConfigSchema`; in a pod the service account is found by client-node, elsewhere KUBECONFIG.
 * @throws EdgeConfigError, KubeError `BadConfig`
 */
export async function runAgent(env: Readonly<Record<string, string | undefined>>): Promise<number> {
  const parsed = loadConfig(edgeConfigSchema, env);
  if (!parsed.ok) throw new EdgeConfigError(`cannot start the edge agent: ${parsed.problems.join("; ")}`);
  const running = await startAgent(parsed.value, (log) => {
    const client = new KubeClient({
      connection: new Connection(loadAccess({ inCluster: env["KUBERNETES_SERVICE_HOST"] !== undefined }), systemClock),
      clock: systemClock,
      fieldManager: "wscluster-edge",
    });
    return kubeSource({
      client,
      clock: systemClock,
      random: Math.random,
      namespace: parsed.value.WSC_NAMESPACE,
      cluster: parsed.value.WSC_CLUSTER,
      ports: { port: parsed.value.WSC_SERVER_PORT, adminPort: parsed.value.WSC_SERVER_ADMIN_PORT },
      onProblem: ({ resource, doing, error }) =>
        log.warn({ resource, doing, error: error instanceof Error ? error.message : String(error) }, "API server"),
    });
  });
  return new Promise((resolve) => {
    handleSignals(
      process,
      () => void running.terminate().then(() => resolve(0)),
      () => resolve(1),
    );
  });
}

export type RunningAgent = {
  readonly port: number;
  /** What SIGTERM does: see `Termination`. Everything is closed when it resolves. */
  terminate(): Promise<void>;
  /** Ends at once. */
  stop(): Promise<void>;
};

/** The parts put together, with the source of truth chosen by the caller. */
export async function startAgent(
  config: EdgeConfig,
  sourceFor: (log: ReturnType<typeof createLogger>) => EdgeSource,
): Promise<RunningAgent> {
  const clock = systemClock;
  const edge = podKey(config.WSC_POD_UID);
  const log = createLogger(config.WSC_LOG_LEVEL, { cluster: config.WSC_CLUSTER, edge, pod: config.WSC_POD_NAME });
  const proxy = new HaproxyProxy({ path: config.WSC_HAPROXY_SOCKET });
  const counters = noCounts();
  const source = sourceFor(log);
  const brake = new EdgeBrake({ proxy, wanted: () => source.read()?.admitPerSecond, clock, log });
  const agent = new EdgeAgent({
    edge,
    proxy,
    source,
    snapshots: fileSnapshots(join(dirname(config.WSC_HAPROXY_SOCKET), "edge-snapshot.json")),
    clock,
    log,
    counters,
  });
  const termination = new Termination({ proxy, clock, log, graceMs: config.WSC_TERMINATION_SECONDS * 1_000 });
  const server = createAdminServer(
    { port: config.WSC_EDGE_ADMIN_PORT },
    edgeRoutes({ agent, brake, termination, counters, metrics: edgeMetrics() }),
  );
  const port = await server.start();
  await agent.start();
  brake.start();
  log.info({ port }, "edge agent started");
  const stop = async (): Promise<void> => {
    brake.stop();
    await agent.stop();
    await server.stop();
  };
  return {
    port,
    stop,
    async terminate() {
      await termination.onSignal();
      brake.stop();
      // Closing the runtime connection lets a proxy that stops softly end; the answer to the hook goes out before the server closes.
      await agent.stop();
      await new Promise((resolve) => setTimeout(resolve, 500));
      await server.stop();
    },
  };
}
