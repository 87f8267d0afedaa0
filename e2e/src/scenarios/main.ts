// `npm run e2e -- NAME...`: scenarios on a cluster. Parses, calls, prints.
import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { Command, CommanderError } from "commander";
import { accessCluster } from "../cluster/access.ts";
import type { ClusterDriver } from "../cluster/driver.ts";
import { isClusterError, type ClusterErrorCode } from "../cluster/errors.ts";
import { openCluster } from "../cluster/open.ts";
import { buildImages, installChart } from "../product/install.ts";
import { formatDuration } from "../terminal/duration.ts";
import { createProgress } from "../terminal/progress.ts";
import { renderTable } from "../terminal/table.ts";
import { orderOf } from "./order.ts";
import { SCENARIOS } from "./registry.ts";
import { runScenario, type Outcome } from "./run.ts";
import type { Scenario } from "./scenario.ts";

const EXIT_FAILURE = 1;
const EXIT_USAGE = 64;
const EXIT_INTERRUPTED = 130;
/** This machine cannot have a cluster: counted as skipped, with the reason. */
const CANNOT: readonly ClusterErrorCode[] = ["UNSUPPORTED_PLATFORM", "NOT_ROOT", "GO_MISSING", "APT_MISSING"];

type Options = {
  readonly list: boolean;
  readonly all: boolean;
  readonly up: boolean;
  readonly down: boolean;
  readonly quick: boolean;
  readonly keep: boolean;
  readonly json?: string;
  readonly meanwhile?: string;
};

const program = new Command("e2e")
  .usage("[names...] [options]   (as: npm run e2e -- NAME...)")
  .description("Runs scenarios on the real cluster of `npm run cluster -- up`.")
  .argument("[names...]", "scenarios to run")
  .option("--list", "list the scenarios", false)
  .option("--all", "run every scenario", false)
  .option("--up", "bring the cluster up first, if it is not", false)
  .option("--down", "take the cluster down at the end", false)
  .option("--quick", "shorter waits where a scenario allows it", false)
  .option("--keep", "leave the namespace of a failed scenario for a look", false)
  .option("--json <file>", "write the outcomes as JSON")
  .option(
    "--meanwhile <script>",
    "a Node script to run in the calm minutes, before the scenarios that need the machine alone",
  )
  .addHelpText("after", "\nExit codes: 0 passed or skipped, 1 failed, 64 wrong usage, 130 interrupted.")
  .exitOverride()
  .action(async (names: string[], options: Options) => {
    if (options.list) {
      console.log(
        renderTable(
          ["SCENARIO", "SHOWS"],
          SCENARIOS.map((scenario) => [scenario.name, scenario.shows]),
        ),
      );
      return;
    }
    const chosen = choose(names, options.all);
    if (!chosen) {
      process.exitCode = EXIT_USAGE;
      return;
    }
    const outcomes = await runAll(chosen, options);
    if (options.json !== undefined)
      await writeFile(options.json, `${JSON.stringify({ scenarios: outcomes }, null, 2)}\n`);
    if (outcomes.some((outcome) => outcome.status === "failed")) process.exitCode ??= EXIT_FAILURE;
  });

await main();

async function main(): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
    else {
      console.error(isClusterError(error) ? `error ${error.code}: ${error.message}` : error);
      process.exitCode = isClusterError(error, "INTERRUPTED") ? EXIT_INTERRUPTED : EXIT_FAILURE;
    }
  }
}

function choose(names: readonly string[], all: boolean): readonly Scenario[] | undefined {
  if (all) return SCENARIOS;
  const unknown = names.filter((name) => SCENARIOS.every((scenario) => scenario.name !== name));
  if (names.length > 0 && unknown.length === 0) return SCENARIOS.filter((scenario) => names.includes(scenario.name));
  const known = SCENARIOS.map((scenario) => scenario.name).join(", ");
  console.error(
    unknown.length > 0
      ? `no scenario ${unknown.join(", ")}; there are: ${known}`
      : `name scenarios or --all; there are: ${known}`,
  );
  return undefined;
}

async function runAll(chosen: readonly Scenario[], options: Options): Promise<readonly Outcome[]> {
  const abort = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => abort.abort());
  const progress = createProgress();
  let driver: ClusterDriver;
  let isOurs = false;
  try {
    driver = await openCluster();
    progress.note(`cluster: ${driver.name} (${driver.reason})`);
    const { state } = await driver.status();
    isOurs = options.up && state !== "up";
    if (state !== "up" && !options.up) {
      console.error("the cluster is not up: start it with `npm run cluster -- up`, or give --up");
      process.exitCode = EXIT_FAILURE;
      return [];
    }
    if (isOurs) await driver.up(progress, abort.signal);
  } catch (error) {
    if (!isClusterError(error) || !CANNOT.includes(error.code)) throw error;
    console.log(`skipped: ${error.message}`);
    return chosen.map(({ name }) => ({ name, status: "skipped", reason: error.message, seconds: 0 }));
  }
  try {
    return await runOn(driver, chosen, options, abort.signal);
  } finally {
    if (options.down || (isOurs && abort.signal.aborted)) await driver.down(progress);
  }
}

async function runOn(
  driver: ClusterDriver,
  chosen: readonly Scenario[],
  options: Options,
  signal: AbortSignal,
): Promise<readonly Outcome[]> {
  const progress = createProgress();
  const access = accessCluster(driver);
  const images = await buildImages(access, progress, signal);
  progress.begin(1);
  await progress.step("chart wscluster", "installing", async (report) => {
    await installChart(access, { images, replicas: 1, signal });
    report.done("installed");
  });
  const outcomes: Outcome[] = [];
  const runOne = async (scenario: Scenario): Promise<void> => {
    if (signal.aborted) return;
    console.log(`${scenario.name}: ${scenario.shows}`);
    // Lines of scenarios that run beside each other are told apart by their name.
    const say = (text: string) =>
      console.log(text.startsWith("    ") ? `    ${scenario.name}: ${text.trimStart()}` : text);
    const { quick, keep } = options;
    const outcome = await runScenario(scenario, { access, images, quick, keep, signal, say });
    outcomes.push(outcome);
    const reason = outcome.reason === undefined ? "" : `\n${outcome.reason}`;
    const count = `${outcomes.length} of ${chosen.length}`;
    console.log(`[${count}] ${outcome.name} ${outcome.status} in ${formatDuration(outcome.seconds * 1_000)}${reason}`);
  };
  const order = orderOf(chosen);
  const beside = Promise.all(order.beside.map(runOne));
  for (const scenario of order.inTurn) await runOne(scenario);
  if (options.meanwhile !== undefined && !signal.aborted) await runMeanwhile(options.meanwhile, signal);
  await beside;
  for (const scenario of order.alone) await runOne(scenario);
  if (signal.aborted) process.exitCode = EXIT_INTERRUPTED;
  const count = (status: Outcome["status"]) => outcomes.filter((outcome) => outcome.status === status).length;
  console.log(`${count("passed")} passed, ${count("failed")} failed, ${count("skipped")} skipped`);
  return outcomes;
}

/** Its result is its own affair: whoever asked for it reads what it wrote. */
async function runMeanwhile(script: string, signal: AbortSignal): Promise<void> {
  const child = spawn(process.execPath, [...process.execArgv, script], { stdio: ["ignore", "inherit", "inherit"] });
  const stop = () => child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  await new Promise<void>((resolve) => {
    child.once("error", (error) => {
      console.error(`cannot run ${script} meanwhile: ${error.message}`);
      resolve();
    });
    child.once("close", () => resolve());
  });
  signal.removeEventListener("abort", stop);
}
