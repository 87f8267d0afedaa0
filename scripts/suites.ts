// Runs the checks, vitest and the scenarios, and gives results. Not here: counting and printing (results.ts).

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CHECKS } from "./checks.ts";
import { type Result, type ScenarioReport, type VitestReport, scenarioResults, vitestResults } from "./results.ts";
import { ROOT, runTool, toolPath } from "./tools.ts";

const SCENARIOS = "e2e/src/scenarios/main.ts";
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

/** @param filters arguments for vitest: files, or `--exclude PATTERN`. */
export async function runVitest(filters: readonly string[] = []): Promise<readonly Result[]> {
  return withReport(async (file) => {
    const args = [
      toolPath("vitest"),
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile=${file}`,
      ...filters,
    ];
    const { code } = await runTool(args, { onOutput: say, env: { FORCE_TTY: "0" } });
    const report = reportIn<VitestReport>(file);
    if (report === undefined) return [failure("unit and integration", "vitest", code)];
    return vitestResults(withShortNames(report), code);
  });
}

/** The scenarios on a real cluster; they start it, and say themselves what cannot run here and why. */
export async function runScenarios(): Promise<readonly Result[]> {
  return withReport(async (file) => {
    const flags = ["--conditions=@wscluster/source", "--disable-warning=ExperimentalWarning"];
    const { code } = await runTool([...flags, SCENARIOS, "--all", "--json", file], { onOutput: say });
    const report = reportIn<ScenarioReport>(file);
    return report === undefined ? [failure("e2e", "the scenario run", code)] : scenarioResults(report, code);
  });
}

async function withReport(run: (file: string) => Promise<readonly Result[]>): Promise<readonly Result[]> {
  const folder = mkdtempSync(join(tmpdir(), "wsc-report-"));
  try {
    return await run(join(folder, "report.json"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function reportIn<T>(file: string): T | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as T) : undefined;
}

function failure(suite: string, name: string, exitCode: number): Result {
  return { suite, name, status: "failed", reason: `it ended with exit code ${exitCode} and left no report` };
}

function withShortNames(report: VitestReport): VitestReport {
  const testResults = report.testResults.map((file) => ({ ...file, name: file.name.replace(`${ROOT}/`, "") }));
  return { ...report, testResults };
}
