// Runs the checks, vitest and the scenarios, and gives results. Not here: counting and printing (results.ts).

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CHECKS } from "./checks.ts";
import { type Result, type ScenarioReport, type VitestReport, scenarioResults, vitestResults } from "./results.ts";
import { ROOT, runTool, toolPath } from "./tools.ts";

const SCENARIOS = "e2e/src/scenarios/main.ts";
const CLUSTER = "e2e/src/cluster/main.ts";
const SOURCE_FLAGS = ["--conditions=@wscluster/source", "--disable-warning=ExperimentalWarning"];
const INTEGRATION = "**/*.integration.test.ts";
/** Many random runs, or thousands of sockets: more than five seconds each. */
const LONG = "**/*.long.test.ts";
const MEANWHILE = "scripts/tests-meanwhile.ts";

export type PartResults = { readonly part: string; readonly results: readonly Result[]; readonly seconds: number };

const say = (text: string) => void process.stderr.write(text);

export async function runChecks(): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const [index, check] of CHECKS.entries()) {
    say(`[${index + 1}/${CHECKS.length}] ${check.name} ... `);
    const started = performance.now();
    const { ok, output } = await check.run();
    const seconds = (performance.now() - started) / 1000;
    say(`${ok ? "ok" : "FAILED"} (${seconds.toFixed(1)} s)\n`);
    if (!ok) say(`${output.trimEnd()}\n`);
    const base = { suite: "checks", name: check.name, seconds };
    results.push(ok ? { ...base, status: "passed" } : { ...base, status: "failed", reason: output.trim() });
  }
  return results;
}

/** Tests that need no program beside Node. */
export const runUnit = () => runVitest("unit", ["--exclude", INTEGRATION]);

/** Those of them that a person waits for. */
export const runShortUnit = () => runVitest("unit", ["--exclude", INTEGRATION, "--exclude", LONG]);

/** Tests that start real programs; where one is missing they are skipped and say which. */
export const runIntegration = () => runVitest("integration", [".integration.test.ts"]);

/** Both, each with the seconds that it took. */
export async function runTests(): Promise<readonly PartResults[]> {
  return [await timed("unit", runUnit), await timed("integration", runIntegration)];
}

export async function timed(part: string, run: () => Promise<readonly Result[]>): Promise<PartResults> {
  const started = performance.now();
  const results = await run();
  return { part, results, seconds: (performance.now() - started) / 1000 };
}

async function runVitest(suite: string, filters: readonly string[]): Promise<readonly Result[]> {
  return withReport(async (file) => {
    const args = [
      toolPath("vitest"),
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile=${file}`,
      ...filters,
    ];
    const { code } = await runTool(args, { onOutput: say });
    const report = reportIn<VitestReport>(file);
    return report === undefined
      ? [noReport(suite, "vitest", code)]
      : vitestResults(withShortNames(report), suite, code);
  });
}

/**
 * The scenarios on a real cluster: it is started when it is not up, and then taken down again. They say themselves what cannot
 * run here and why.
 */
export const runScenarios = () => runScenariosWith([]);

/** The scenarios, and the tests in the calm minutes of their watch; after them where that did not come to pass. */
export async function runScenariosAndTests(): Promise<readonly PartResults[]> {
  return withReport(async (file) => {
    process.env["WSCLUSTER_RESULTS"] = file;
    const scenarios = await timed("e2e", () => runScenariosWith(["--meanwhile", join(ROOT, MEANWHILE)]));
    delete process.env["WSCLUSTER_RESULTS"];
    return [...(reportIn<readonly PartResults[]>(file) ?? (await runTests())), scenarios];
  });
}

async function runScenariosWith(more: readonly string[]): Promise<readonly Result[]> {
  return withReport(async (file) => {
    const wasUp = (await runTool([...SOURCE_FLAGS, CLUSTER, "status"])).code === 0;
    const args = [SCENARIOS, "--all", "--up", ...(wasUp ? [] : ["--down"]), ...more, "--json", file];
    const { code } = await runTool([...SOURCE_FLAGS, ...args], { onOutput: say });
    const report = reportIn<ScenarioReport>(file);
    return report === undefined ? [noReport("e2e", "the scenario run", code)] : scenarioResults(report, code);
  });
}

async function withReport<T>(run: (file: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "wsc-report-"));
  // An interrupted run ends with process.exit, which passes every `finally` by.
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    return await run(join(folder, "report.json"));
  } finally {
    process.off("exit", remove);
    remove();
  }
}

function reportIn<T>(file: string): T | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as T) : undefined;
}

function noReport(suite: string, name: string, exitCode: number): Result {
  return { suite, name, status: "failed", reason: `it ended with exit code ${exitCode} and left no report` };
}

function withShortNames(report: VitestReport): VitestReport {
  const testResults = report.testResults.map((file) => ({ ...file, name: file.name.replace(`${ROOT}/`, "") }));
  return { ...report, testResults };
}
