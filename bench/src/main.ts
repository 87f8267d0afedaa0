// `npm run bench -- NAME [--quick] [--json FILE]`: runs one bench, prints a table, keeps the result.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createProgress, renderTable } from "@wscluster/e2e";
import { Command, CommanderError } from "commander";
import type { Bench, BenchResult } from "./bench.ts";
import { describeMachine, productVersion } from "./machine.ts";
import { mediansOf } from "./rounds.ts";
import { fanout } from "./fanout/fanout.ts";
import { idle } from "./idle/idle.ts";
import { operator } from "./operator/operator.ts";
import { pipeline } from "./pipeline/pipeline.ts";
import { rebalance } from "./rebalance/rebalance.ts";
import { resume } from "./resume/resume.ts";
import { rollout } from "./rollout/rollout.ts";
import { storm } from "./storm/storm.ts";

const EXIT_FAILURE = 1;
const EXIT_USAGE = 64;
const EXIT_INTERRUPTED = 130;
const RESULTS = join(import.meta.dirname, "..", "results");

const BENCHES: readonly Bench[] = [rollout, operator, fanout, idle, storm, resume, pipeline, rebalance];

type Flags = { readonly quick: boolean; readonly list: boolean; readonly json?: string };

const program = new Command("bench")
  .usage("NAME [options]   (as: npm run bench -- NAME)")
  .description("Benchmarks. Only ratios within one run, and counts, mean something on a shared machine.")
  .argument("[name]", "the bench")
  .option("--list", "list the benches", false)
  .option("--quick", "one short round", false)
  .option("--json <file>", "where the result goes (default: bench/results/NAME.json; with --quick: nowhere)")
  .exitOverride()
  .action(async (name: string | undefined, flags: Flags) => {
    const bench = BENCHES.find((candidate) => candidate.name === name);
    if (flags.list || !bench) {
      const table = renderTable(
        ["BENCH", "MEASURES"],
        BENCHES.map((one) => [one.name, one.measures]),
      );
      if (flags.list) console.log(table);
      else console.error(`${name === undefined ? "name a bench" : `no bench ${name}`}; there are:\n${table}`);
      if (!flags.list) process.exitCode = EXIT_USAGE;
      return;
    }
    const result = await measure(bench, flags.quick);
    printResult(result);
    const file = flags.json ?? (flags.quick ? undefined : join(RESULTS, `${bench.name}.json`));
    if (file === undefined) return;
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, `${JSON.stringify(result, null, 2)}\n`);
    console.log(`\nwritten to ${file}`);
  });

const abort = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => abort.abort());

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
  else {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = abort.signal.aborted ? EXIT_INTERRUPTED : EXIT_FAILURE;
  }
}

async function measure(bench: Bench, quick: boolean): Promise<BenchResult> {
  const outcome = await bench.run({
    quick,
    progress: createProgress(),
    signal: abort.signal,
    say: (text) => void process.stderr.write(`${text}\n`),
  });
  return {
    name: bench.name,
    date: new Date().toISOString(),
    quick,
    machine: describeMachine(),
    ...outcome,
    versions: { wscluster: productVersion(), node: process.versions.node, ...outcome.versions },
  };
}

function printResult(result: BenchResult): void {
  const contenders = [...new Set(result.rounds.map((round) => round.contender))];
  const medians = contenders.map((contender) => mediansOf(result.rounds, contender));
  const names = [...new Set(medians.flatMap((figures) => Object.keys(figures)))];
  const rows = names.map((name) => [name, ...medians.map((figures) => String(figures[name] ?? "-"))]);
  console.log(renderTable(["MEDIAN", ...contenders.map((contender) => contender.toUpperCase())], rows));
  console.log(
    `\n${renderTable(
      ["SUMMARY", "VALUE"],
      Object.entries(result.summary).map(([key, value]) => [key, String(value)]),
    )}`,
  );
}
