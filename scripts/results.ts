// From reports to one table and a closing line. Pure. Not here: running anything (suites.ts).

export type Result = {
  readonly suite: string;
  readonly name: string;
  readonly status: "passed" | "failed" | "skipped";
  /** Why it failed or was skipped. */
  readonly reason?: string;
  readonly seconds?: number;
};

type VitestAssertion = {
  readonly fullName: string;
  readonly status: string;
  readonly failureMessages?: readonly string[];
};
type VitestFile = {
  readonly name: string;
  readonly status: string;
  readonly message?: string;
  readonly startTime?: number;
  readonly endTime?: number;
  readonly assertionResults: readonly VitestAssertion[];
};
export type VitestReport = { readonly success: boolean; readonly testResults: readonly VitestFile[] };

export type ScenarioReport = {
  readonly scenarios: readonly {
    readonly name: string;
    readonly status: "passed" | "failed" | "skipped";
    readonly reason?: string;
    readonly seconds?: number;
  }[];
};

/**
 * One result per test. What fails outside a test (a file that does not load, an unhandled error) has no test of its own and is
 * added, or a broken run would read as "0 failed".
 * @param exitCode that of vitest: the only trace of an unhandled error.
 */
export function vitestResults(report: VitestReport, suite: string, exitCode: number): readonly Result[] {
  const results = report.testResults.flatMap((file) => {
    const tests = file.assertionResults.map((test): Result => {
      const name = `${file.name}: ${test.fullName}`;
      if (test.status === "passed") return { suite, name, status: "passed" };
      if (test.status === "failed") {
        return {
          suite,
          name,
          status: "failed",
          reason: test.failureMessages?.join("\n") ?? "",
        };
      }
      const reason = /\(skipped: ([^)]*)\)/.exec(test.fullName)?.[1] ?? `vitest says ${test.status}`;
      return { suite, name, status: "skipped", reason };
    });
    const isBroken = file.status === "failed" && !tests.some((test) => test.status === "failed");
    const broken: Result = {
      suite,
      name: file.name,
      status: "failed",
      reason: file.message ?? "",
    };
    return isBroken ? [...tests, broken] : tests;
  });
  return withExitCode(results, suite, "vitest", exitCode);
}

export function scenarioResults(report: ScenarioReport, exitCode: number): readonly Result[] {
  const results = report.scenarios.map((scenario): Result => ({ suite: "e2e", ...scenario }));
  return withExitCode(results, "e2e", "the scenario run", exitCode);
}

/** A run that found nothing, or ended badly without naming a failure, is a failure of its own. */
function withExitCode(results: readonly Result[], suite: string, what: string, exitCode: number): readonly Result[] {
  if (results.length === 0)
    return [{ suite, name: what, status: "failed", reason: `it ran nothing (exit code ${exitCode})` }];
  if (exitCode === 0 || results.some((result) => result.status === "failed")) return results;
  return [...results, { suite, name: what, status: "failed", reason: `it ended with exit code ${exitCode}` }];
}

export type Counts = { readonly passed: number; readonly failed: number; readonly skipped: number };

export function countsOf(results: readonly Result[]): Counts {
  const count = (status: Result["status"]) => results.filter((result) => result.status === status).length;
  return { passed: count("passed"), failed: count("failed"), skipped: count("skipped") };
}

/** `N passed, N failed`, and `, N skipped` when there are any: the last line of `npm test`. */
export function closingLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

const REASON_LINES = 12;

/** Table by suite, then what was skipped and why, then what failed and why. */
export function reportFor(results: readonly Result[], secondsBySuite: ReadonlyMap<string, number>): string {
  const suites = [...new Set(results.map((result) => result.suite))];
  const rows = suites.map((suite) => {
    const { passed, failed, skipped } = countsOf(results.filter((result) => result.suite === suite));
    return [suite, String(passed), String(failed), String(skipped), `${Math.round(secondsBySuite.get(suite) ?? 0)} s`];
  });
  const table = alignedTable([["suite", "passed", "failed", "skipped", "time"], ...rows]);
  const skipped = groupedSkips(results).map((line) => `  ${line}`);
  const failed = results.filter((result) => result.status === "failed").map(failureText);
  return [
    table,
    ...(skipped.length > 0 ? ["", "Skipped:", ...skipped] : []),
    ...(failed.length > 0 ? ["", "Failed:", ...failed] : []),
  ].join("\n");
}

/** One line per reason: forty tests that miss one program are one fact. */
function groupedSkips(results: readonly Result[]): readonly string[] {
  const byReason = new Map<string, number>();
  for (const { status, reason = "no reason given" } of results) {
    if (status === "skipped") byReason.set(reason, (byReason.get(reason) ?? 0) + 1);
  }
  return [...byReason].map(([reason, count]) => `${count} x ${reason}`);
}

function failureText({ suite, name, reason = "" }: Result): string {
  // The way through the test runner says nothing about what failed.
  const lines = reason
    .split("\n")
    .filter((line) => !/^\s+at .*node_modules/.test(line))
    .slice(0, REASON_LINES);
  return [`  ${suite}: ${name}`, ...lines.map((line) => `    ${line}`)].join("\n");
}

function alignedTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_cell, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ");
  return rows.map(line).join("\n");
}
