// The words of `wsc` (and `kubectl wsc`): one command each, options with --help. Not here: what the commands do.
import { Command, InvalidArgumentError } from "commander";
import { abort, approve, type PauseScope, restart, setOperatorPaused, setPaused, type Target } from "./change.ts";
import type { Answer } from "./answers.ts";
import { planMovesAnswer } from "./plan-moves.ts";
import { history, rollback } from "./revisions.ts";
import { approveRebalance, listRebalances, requestRebalance, stopRebalance } from "./rebalance.ts";
import { record } from "./record.ts";
import { statusAnswer } from "./status.ts";

export type WscPorts = {
  /** Runs a command with a connection, and lets that go. `namespace` is the flag's, else that of the kubeconfig's context. */
  readonly withApi: (
    flags: ClusterFlags,
    use: (of: { api: Target["api"]; namespace: string }) => Promise<Answer>,
  ) => Promise<Answer>;
  readonly plan: (of: { api: Target["api"]; namespace: string; name: string; file?: string }) => Promise<Answer>;
  readonly contractTest: (options: { url: string; key?: string; podUid?: string }) => Promise<Answer>;
  readonly now: () => string;
  readonly print: (line: string) => void;
  readonly onExit: (code: number) => void;
};

export type ClusterFlags = { readonly namespace?: string; readonly kubeconfig?: string; readonly context?: string };
type Flags = ClusterFlags & { readonly json?: boolean };

export function wscProgramFor(ports: WscPorts): Command {
  const program = new Command("wsc")
    .description("looks after WebSocketClusters on Kubernetes; also as `kubectl wsc`")
    .addHelpText("after", "\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing to do or a stale name.");
  const finish = async (answer: Promise<Answer>, { json }: Flags): Promise<void> => {
    const { lines, data, code } = await answer;
    if (json === true) ports.print(JSON.stringify(data, undefined, 2));
    else for (const line of lines) ports.print(line);
    ports.onExit(code);
  };
  const onCluster = (command: Command): Command =>
    command
      .option("-n, --namespace <name>", "namespace; default: that of the kubeconfig's context", nonEmpty)
      .option("--kubeconfig <path>", "kubeconfig file", nonEmpty)
      .option("--context <name>", "context of the kubeconfig", nonEmpty)
      .option("--json", "answer as JSON");
  /** A command on one cluster. */
  const one = (
    words: string,
    description: string,
    act: (target: Target, more: string | undefined, flags: Flags) => Promise<Answer>,
  ) => {
    const [name = "", more] = words.split(" ");
    const command = onCluster(program.command(name)).description(description);
    command.argument("<name>", "name of the WebSocketCluster");
    if (more !== undefined) command.argument(`[${more}]`, MORE_HELP[more]);
    command.action(async (cluster: string, second: unknown, third: unknown) => {
      const text = typeof second === "string" ? second : undefined;
      const flags = flagsOf(more === undefined ? second : third);
      const run = ports.withApi(flags, ({ api, namespace }) => act({ api, namespace, name: cluster }, text, flags));
      await finish(run, flags);
    });
    return command;
  };

  onCluster(program.command("status"))
    .description("all clusters, or the story of one with its sets and pods")
    .argument("[name]", "name of the WebSocketCluster")
    .option("-A, --all-namespaces", "clusters of every namespace")
    .option("--no-pods", "do not ask the pods")
    .action(async (name: string | undefined, flags: Flags & { allNamespaces?: boolean; pods: boolean }) => {
      const run = ports.withApi(flags, ({ api, namespace }) =>
        statusAnswer({
          api,
          ...(flags.allNamespaces === true ? {} : { namespace }),
          ...(name === undefined ? {} : { name }),
          askPods: flags.pods,
        }),
      );
      await finish(run, flags);
    });
  one("plan", "what the operator would do with it, without doing it", (target, _none, flags) => {
    const { file } = fileOf(flags);
    return ports.plan({ ...target, ...(file === undefined ? {} : { file }) });
  }).option("-f, --file <path>", "take the specification from this file instead of the stored one", nonEmpty);
  onCluster(program.command("plan-moves"))
    .description("which connections and users of a pod would go where, without moving anybody")
    .argument("<pod>", "name of the server pod")
    .option("--limit <n>", "most rows of the table; --json has all", wholeNumber, 50)
    .action(async (pod: string, flags: Flags & { limit: number }) => {
      await finish(
        ports.withApi(flags, (of) => planMovesAnswer(of, pod, flags.limit)),
        flags,
      );
    });
  one("approve attempt", "let a rollout go on that waits for approval", approve);
  one("abort attempt", "give a running rollout up: its connections go back", abort);
  one("restart", "restart the servers: a new set with the same content takes over", (target, _none, flags) =>
    restart(target, atOf(flags) ?? ports.now()),
  ).option("--at <time>", "not now but then, as in 2030-01-31T02:00:00Z", nonEmpty);
  one("rollback revision", "put the specification of an older revision back", rollback);
  one("history", "its revisions and attempts", (target) => history(target));
  one("record attempt", "what was decided in an attempt, when, and why; default: the last one", record);

  const rebalance = onCluster(program.command("rebalance"))
    .description("even out the load of a cluster now; or approve, stop and list such plans")
    .argument("<name>", "name of the WebSocketCluster")
    .option("--plan", "only plan it: it waits to be approved")
    .action(async (name: string, flags: Flags & { plan?: boolean }) => {
      const run = ports.withApi(flags, (of) => requestRebalance({ ...of, name }, flags.plan !== true, ports.now()));
      await finish(run, flags);
    });
  for (const [word, description, argument, act] of [
    ["approve", "let a proposed rebalance run", "name of the WebSocketRebalance", approveRebalance],
    ["stop", "end a proposed or running rebalance", "name of the WebSocketRebalance", stopRebalance],
    ["list", "the rebalances of a cluster", "name of the WebSocketCluster", listRebalances],
  ] as const) {
    // Flags after the word belong to it, though `rebalance` knows them too.
    onCluster(rebalance.command(word))
      .description(description)
      .argument("<name>", argument)
      .action(async (name: string, _own: Flags, command: Command) => {
        const flags: Flags = command.optsWithGlobals();
        await finish(
          ports.withApi(flags, (of) => act({ ...of, name })),
          flags,
        );
      });
  }

  for (const [word, paused] of [
    ["pause", true],
    ["resume", false],
  ] as const) {
    onCluster(program.command(word))
      .description(paused ? "stop the moves of a cluster, or of all" : "let moves go on again")
      .argument("[name]", "name of the WebSocketCluster; not with --operator")
      .option("--rollout", "the running rollout instead of all moves")
      .option("--all", "all reconciliation of the cluster instead of its moves")
      .option("--operator", "the moves of every cluster, by the switch of the operator")
      .option("--operator-namespace <name>", "where the operator runs", "wscluster-system")
      .option("--operator-name <name>", "name of its Lease and ConfigMap", "wscluster-operator")
      .action(async (name: string | undefined, flags: PauseFlags, command: Command) => {
        const scope: PauseScope = flags.all === true ? "all" : flags.rollout === true ? "rollout" : "moves";
        if ((name === undefined) !== (flags.operator === true)) {
          command.error("error: give the name of a WebSocketCluster, or --operator", { exitCode: 2 });
        }
        const run = ports.withApi(flags, ({ api, namespace }) =>
          name === undefined
            ? setOperatorPaused(api, { namespace: flags.operatorNamespace, name: flags.operatorName }, paused)
            : setPaused({ api, namespace, name }, scope, paused),
        );
        await finish(run, flags);
      });
  }

  program
    .command("contract")
    .description("the pod contract, for servers of your own")
    .command("test")
    .description("ask a server what the operator will ask of it, and say what it answers wrong")
    .argument("<url>", "base URL of its admin port, as in http://127.0.0.1:8081")
    .option("--key <key>", "admin key that it was started with; with it writes are tried", nonEmpty)
    .option("--pod-uid <uid>", "uid of its pod that it was started with", nonEmpty)
    .option("--json", "answer as JSON")
    .action(async (url: string, flags: { key?: string; podUid?: string; json?: boolean }) => {
      const { key, podUid } = flags;
      const run = ports.contractTest({
        url,
        ...(key === undefined ? {} : { key }),
        ...(podUid === undefined ? {} : { podUid }),
      });
      await finish(run, flags);
    });
  return program;
}

type PauseFlags = Flags & {
  readonly rollout?: boolean;
  readonly all?: boolean;
  readonly operator?: boolean;
  readonly operatorNamespace: string;
  readonly operatorName: string;
};

const MORE_HELP: Readonly<Record<string, string>> = {
  attempt: "REVISION/N; default: the one that runs",
  revision: "a revision of `wsc history`; default: the one that served before",
};

function flagsOf(value: unknown): Flags {
  return Object(value);
}

function fileOf(flags: Flags): { readonly file?: string } {
  return Object(flags);
}

function atOf(flags: Flags): string | undefined {
  const at: unknown = Reflect.get(flags, "at");
  return typeof at === "string" ? at : undefined;
}

function wholeNumber(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError("must be a whole number");
  return Number(text);
}

function nonEmpty(value: string): string {
  if (value === "") throw new InvalidArgumentError("must not be empty");
  return value;
}
