// Runs scenarios one after another, each in a namespace of its own, and says of each failure what the cluster said.
import { LABELS } from "@wscluster/crds";
import type { ClusterAccess } from "../cluster/access.ts";
import type { ProductImages } from "../product/install.ts";
import { createNamespace, deleteNamespace, OPERATOR_SELECTOR, SYSTEM_NAMESPACE } from "../product/install.ts";
import { Skip, type Scenario, type ScenarioContext } from "./scenario.ts";

export type Outcome = {
  readonly name: string;
  readonly status: "passed" | "failed" | "skipped";
  readonly reason?: string;
  readonly seconds: number;
};

export type RunOptions = {
  readonly access: ClusterAccess;
  readonly images: ProductImages;
  readonly quick: boolean;
  /** Leave the namespace of a failed scenario for a look. */
  readonly keep: boolean;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
};

const DESCRIBE_LINES = 60;
const POD_LINES = 40;
const LOG_LINES = 12;
/** A pass of the operator is one long line. */
const LOG_COLUMNS = 600;

export async function runScenario(scenario: Scenario, options: RunOptions): Promise<Outcome> {
  const begin = performance.now();
  const namespace = `wsc-e2e-${scenario.name}`;
  const cleanups: (() => Promise<void> | void)[] = [];
  const timeout = AbortSignal.timeout(scenario.timeoutSeconds * 1_000);
  const context: ScenarioContext = {
    access: options.access,
    images: options.images,
    namespace,
    quick: options.quick,
    signal: AbortSignal.any([options.signal, timeout]),
    say: (text) => options.say(`    ${text}`),
    defer: (cleanup) => void cleanups.push(cleanup),
  };
  const secondsNow = () => Math.round((performance.now() - begin) / 100) / 10;
  let outcome: Outcome;
  try {
    await createNamespace(options.access, namespace);
    await scenario.run(context);
    outcome = { name: scenario.name, status: "passed", seconds: secondsNow() };
  } catch (error) {
    const isSkip = error instanceof Skip;
    const message = error instanceof Error ? error.message : String(error);
    const reason =
      timeout.aborted && !options.signal.aborted ? `not done within ${scenario.timeoutSeconds} s: ${message}` : message;
    outcome = { name: scenario.name, status: isSkip ? "skipped" : "failed", reason, seconds: secondsNow() };
    if (!isSkip && !options.signal.aborted) options.say(await circumstances(options.access, namespace));
  }
  for (const cleanup of cleanups.toReversed()) {
    try {
      await cleanup();
    } catch (error) {
      options.say(`    cleaning up: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (!(options.keep && outcome.status === "failed")) await deleteNamespace(options.access, namespace);
  return outcome;
}

/** What the cluster says about a failed scenario. */
async function circumstances(access: ClusterAccess, namespace: string): Promise<string> {
  const tail = (text: string, lines: number) =>
    text
      .trimEnd()
      .split("\n")
      .slice(-lines)
      .map((line) => line.slice(0, LOG_COLUMNS))
      .join("\n");
  const ask = async (title: string, args: readonly string[], lines: number) => {
    const answer = await access.tryKubectl(args);
    return `--- ${title}\n${tail(answer.stdout || answer.stderr, lines)}`;
  };
  const parts = await Promise.all([
    ask("kubectl describe wsc", ["describe", "wsc", `--namespace=${namespace}`], DESCRIBE_LINES),
    ask(
      "kubectl get pods",
      ["get", "pods", `--namespace=${namespace}`, `--label-columns=${LABELS.set},${LABELS.traffic}`],
      POD_LINES,
    ),
    ask(
      "operator log",
      ["logs", `--namespace=${SYSTEM_NAMESPACE}`, `--selector=${OPERATOR_SELECTOR}`, `--tail=${LOG_LINES}`],
      LOG_LINES,
    ),
  ]);
  return parts.join("\n");
}
