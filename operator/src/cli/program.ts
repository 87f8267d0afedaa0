// The command line of the operator image: one command each, options with --help. Not here: what the commands do.
import { Command, InvalidArgumentError } from "commander";
import { runConfigSchema, type RunConfig } from "../run-config.ts";

export type CliPorts = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly run: (options: { config: RunConfig; kubeconfigPath?: string; inCluster: boolean }) => Promise<number>;
  readonly agent: (env: Readonly<Record<string, string | undefined>>) => Promise<number>;
  readonly plan: (options: ReadOptions & { name: string; file?: string; config: RunConfig }) => Promise<string[]>;
  readonly status: (options: ReadOptions & { name?: string }) => Promise<string[]>;
  readonly print: (line: string) => void;
  readonly onExit: (code: number) => void;
};

/** Commands that only read. */
export type ReadOptions = { readonly kubeconfigPath?: string; readonly namespace?: string };

export class CliConfigError extends Error {
  readonly code = "bad-config";
}

type ReadFlags = { readonly kubeconfig?: string; readonly namespace?: string };

/** Flag, variable, help; a flag beats its variable. */
const RUN_FLAGS = [
  ["--namespaces <list>", "WSC_NAMESPACES", "namespaces to operate, separated by commas; empty = all"],
  ["--operator-namespace <name>", "WSC_OPERATOR_NAMESPACE", "namespace of the Lease"],
  ["--lease-name <name>", "WSC_LEASE_NAME", "name of the Lease"],
  ["--agent-image <image>", "WSC_AGENT_IMAGE", "image of the edge agent for new edges"],
  ["--edge-image <image>", "WSC_EDGE_IMAGE", "image of the proxy for new edges"],
  ["--webhook-allow <list>", "WSC_WEBHOOK_ALLOW", "hosts and CIDRs that webhooks may be called at; empty = none"],
  ["--pod-name <name>", "POD_NAME", "name of this process, part of the leader's identity"],
  ["--http-port <port>", "WSC_HTTP_PORT", "port of /livez, /readyz and /metrics; 0 = any"],
  ["--workers <n>", "WSC_WORKERS", "clusters that are worked on at once"],
  ["--log-level <level>", "WSC_LOG_LEVEL", "trace, debug, info, warn, error or silent"],
] as const;

export function programFor(ports: CliPorts): Command {
  const program = new Command("wscluster-operator").description("Operates WebSocketClusters on Kubernetes");
  const run = program
    .command("run")
    .description("run the controller")
    .option("--kubeconfig <path>", "kubeconfig file; default: service account in a pod, else KUBECONFIG", nonEmpty);
  for (const [flags, variable, help] of RUN_FLAGS) run.option(flags, `${help} (${variable})`);
  run.action(async (options: Record<string, string | undefined>) => {
    const given: Record<string, string | undefined> = { ...ports.env };
    for (const [flags, variable] of RUN_FLAGS) {
      const value = options[optionNameOf(flags)];
      if (value !== undefined) given[variable] = value;
    }
    const parsed = runConfigSchema.safeParse(given);
    if (!parsed.success) {
      const why = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ");
      throw new CliConfigError(`cannot start the operator: ${why}`);
    }
    const kubeconfigPath = options["kubeconfig"];
    const inCluster = kubeconfigPath === undefined && ports.env["KUBERNETES_SERVICE_HOST"] !== undefined;
    ports.onExit(
      await ports.run({ config: parsed.data, inCluster, ...(kubeconfigPath === undefined ? {} : { kubeconfigPath }) }),
    );
  });
  const reading = (of: ReadFlags): ReadOptions => ({
    ...(of.kubeconfig === undefined ? {} : { kubeconfigPath: of.kubeconfig }),
    ...(of.namespace === undefined ? {} : { namespace: of.namespace }),
  });
  program
    .command("plan")
    .description("show what the operator would do with a WebSocketCluster, without doing it")
    .argument("<name>", "name of the WebSocketCluster")
    .option("-n, --namespace <name>", "its namespace", "default")
    .option("-f, --file <path>", "take the specification from this file instead of the stored one")
    .option("--kubeconfig <path>", "kubeconfig file", nonEmpty)
    .action(async (name: string, options: ReadFlags & { file?: string }) => {
      const config = runConfigSchema.parse({});
      const file = options.file === undefined ? {} : { file: options.file };
      for (const line of await ports.plan({ ...reading(options), ...file, name, config })) ports.print(line);
    });
  program
    .command("status")
    .description("show all WebSocketClusters, or the story of one")
    .argument("[name]", "name of the WebSocketCluster")
    .option("-n, --namespace <name>", "namespace; default: all, or `default` with a name")
    .option("--kubeconfig <path>", "kubeconfig file", nonEmpty)
    .action(async (name: string | undefined, options: ReadFlags) => {
      const one = name === undefined ? {} : { name };
      for (const line of await ports.status({ ...reading(options), ...one })) ports.print(line);
    });
  program
    .command("agent")
    .description("run the agent beside an HAProxy (configured by its environment)")
    .action(async () => ports.onExit(await ports.agent(ports.env)));
  return program;
}

/** `--http-port <port>` to `httpPort`, as commander names it. */
function optionNameOf(flags: string): string {
  const name = /--([a-z-]+)/.exec(flags)?.[1] ?? "";
  return name.replaceAll(/-([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}

function nonEmpty(value: string): string {
  if (value === "") throw new InvalidArgumentError("must not be empty");
  return value;
}
