// Composition root of the operator image; the only file here that reads process.env and argv and ends the process.
import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { planLines } from "./cli/plan.ts";
import { programFor, type ReadOptions } from "./cli/program.ts";
import { statusLines } from "./cli/status.ts";
import { runAgent } from "./edge/index.ts";
import { Connection, KubeClient, loadAccess } from "./kube/index.ts";
import { runOperator } from "./run-operator.ts";
import { systemClock } from "./runtime/index.ts";

/** Runs a command that only reads, and lets its connection go. */
async function withApi<T>(options: ReadOptions, use: (api: KubeClient) => Promise<T>): Promise<T> {
  const { kubeconfigPath } = options;
  const access = loadAccess(kubeconfigPath === undefined ? {} : { kubeconfigPath });
  const connection = new Connection(access, systemClock);
  try {
    return await use(new KubeClient({ connection, clock: systemClock, fieldManager: "wscluster-operator" }));
  } finally {
    await connection.close();
  }
}

async function specFrom(file: string): Promise<unknown> {
  const document: unknown = parse(await readFile(file, "utf8"));
  return typeof document === "object" && document !== null && "spec" in document ? document.spec : undefined;
}

const program = programFor({
  env: process.env,
  run: runOperator,
  agent: runAgent,
  plan: (options) =>
    withApi(options, async (api) =>
      planLines({
        api,
        name: options.name,
        namespace: options.namespace ?? "default",
        ...(options.file === undefined ? {} : { spec: await specFrom(options.file) }),
        defaults: { agentImage: options.config.WSC_AGENT_IMAGE, edgeImage: options.config.WSC_EDGE_IMAGE },
        nowMs: Date.now(),
      }),
    ),
  status: (options) => withApi(options, (api) => statusLines({ api, ...options })),
  print: (line) => void process.stdout.write(`${line}\n`),
  onExit: (code) => process.exit(code),
});

try {
  await program.parseAsync(process.argv);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
