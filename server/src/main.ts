#!/usr/bin/env node
// The server process: environment, signals, exit code. Not here: the server (pod.ts).

import type { Logger } from "@wscluster/platform";
import { configHelp, createLogger, handleSignals, loadConfig, settingsHelp } from "@wscluster/platform";
import { MemoryBroker } from "./broker/memory.ts";
import type { Broker, BrokerPolicy } from "./broker/port.ts";
import { RedisBroker } from "./broker/redis.ts";
import { LIVE_FILE, SERVER_VARIABLES, hooksOf, identityOptionsOf, limitsOf } from "./config.ts";
import type { ServerVariables } from "./config.ts";
import { createLiveFile } from "./live-file.ts";
import { ingestFor } from "./ingest/ingest.ts";
import type { Tracing } from "./telemetry/tracing.ts";
import { TlsFiles } from "./transport/tls-files.ts";
import { Pod } from "./pod.ts";

const EXIT_USAGE = 2;
const EXIT_FORCED = 130;
const DAY_MS = 86_400_000;

async function main(): Promise<void> {
  if (process.argv.includes("--help") || process.argv.includes("-h")) {
    process.stdout.write(
      `wscluster server. Settings are environment variables:\n${configHelp(SERVER_VARIABLES)}\n\n` +
        `Settings that change while running, in the JSON file of WSC_CONFIG_FILE:\n${settingsHelp(LIVE_FILE)}\n`,
    );
    return;
  }
  const config = loadConfig(SERVER_VARIABLES, process.env);
  if (!config.ok) {
    process.stderr.write(
      `cannot start the server: the configuration has ${config.problems.length} problem(s):\n${config.problems
        .map((problem) => `  ${problem}\n`)
        .join("")}`,
    );
    process.exitCode = EXIT_USAGE;
    return;
  }
  await run(config.value);
}

async function run(variables: ServerVariables): Promise<void> {
  const log = createLogger(variables.WSC_LOG_LEVEL, {
    cluster: variables.WSC_CLUSTER,
    namespace: variables.WSC_NAMESPACE,
    ...(variables.WSC_POD_NAME === undefined ? {} : { pod: variables.WSC_POD_NAME }),
    ...(variables.WSC_REVISION === undefined ? {} : { revision: variables.WSC_REVISION }),
  });
  const file = createLiveFile(variables.WSC_CONFIG_FILE, log, limitsOf(variables));
  await file.read();
  const policy = (): BrokerPolicy => ({
    history: file.settings().history,
    namespaces: file.settings().namespaces,
    metaTtlMs: 7 * DAY_MS,
    sessionMaxAgeMs: DAY_MS,
  });
  const broker: Broker =
    variables.WSC_REDIS_URL === undefined
      ? new MemoryBroker({ policy })
      : new RedisBroker({
          url: variables.WSC_REDIS_URL,
          durability: variables.WSC_REDIS_DURABILITY,
          prefix: variables.WSC_REDIS_PREFIX,
          policy,
          log,
        });
  if (variables.WSC_TOKEN_COOKIE !== undefined && variables.WSC_ALLOWED_ORIGINS.length === 0) {
    log.warn("WSC_TOKEN_COOKIE is not heeded: without WSC_ALLOWED_ORIGINS any page could use its visitor's cookie");
  }
  const tracing = await tracingOf(variables);
  const pod = new Pod({
    broker,
    log,
    settings: file.settings,
    settingsOk: file.isCurrent,
    ...(variables.WSC_ADDRESS_HEADER === undefined ? {} : { addressHeader: variables.WSC_ADDRESS_HEADER }),
    port: variables.WSC_PORT,
    adminPort: variables.WSC_ADMIN_PORT,
    ...(variables.WSC_HOST === undefined ? {} : { host: variables.WSC_HOST }),
    path: variables.WSC_PATH,
    ...(variables.WSC_POD_UID === undefined ? {} : { podUid: variables.WSC_POD_UID }),
    mode: variables.WSC_MODE,
    adminKeys: variables.WSC_ADMIN_KEYS,
    apiKeys: variables.WSC_API_KEYS,
    ticketKeys: variables.WSC_TICKET_KEYS,
    ...identityOptionsOf(variables),
    ...tlsOf(variables, log),
    tracing,
    lobby: {
      perSecond: variables.WSC_NEW_CONNECTIONS_PER_SECOND,
      brakeWaitMs: variables.WSC_STORM_WAIT_MS,
      slotWaitMs: variables.WSC_SLOT_WAIT_MS,
    },
    hooks: hooksOf(variables),
    allowedOrigins: variables.WSC_ALLOWED_ORIGINS,
    terminationMs: variables.WSC_TERMINATION_SECONDS * 1_000,
  });
  const ingest = ingestFor(variables, pod, log);
  handleSignals(
    process,
    (signal) => {
      log.info({ signal }, "ending");
      void ingest
        .stop()
        .then(() => pod.terminate())
        .then(() => tracing?.stop().catch(() => {}))
        .then(
          () => process.exit(0),
          (error: unknown) => {
            log.error({ err: error }, "cannot end in order");
            process.exit(1);
          },
        );
    },
    (signal) => {
      log.warn({ signal }, "second signal: ending now");
      process.exit(EXIT_FORCED);
    },
  );
  await pod.start();
  ingest.start();
  file.start();
}

// Loaded only where it is used: the library costs memory and time to start.
async function tracingOf(variables: ServerVariables): Promise<Tracing | undefined> {
  const { WSC_TRACING_URL: to, WSC_TRACING_PERMILLE: permille, WSC_POD_NAME: pod } = variables;
  if (to === undefined) return undefined;
  const { startTracing } = await import("./telemetry/otel.ts");
  const attributes = {
    "service.namespace": `${variables.WSC_NAMESPACE}/${variables.WSC_CLUSTER}`,
    ...(pod === undefined ? {} : { "k8s.pod.name": pod, "service.instance.id": pod }),
  };
  return startTracing({ to, permille, attributes });
}

function tlsOf(
  { WSC_TLS_CERT_FILE: certFile, WSC_TLS_KEY_FILE: keyFile }: ServerVariables,
  log: Logger,
): { readonly tls?: TlsFiles } {
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new Error("WSC_TLS_CERT_FILE and WSC_TLS_KEY_FILE go together; set both or none");
  }
  if (certFile === undefined || keyFile === undefined) return {};
  const onProblem = (problem: string) => log.warn({ certFile, problem }, "the certificate before stays in force");
  return { tls: new TlsFiles({ certFile, keyFile, onProblem }) };
}

main().catch((error: unknown) => {
  process.stderr.write(`cannot start the server: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
