// `npm test`: checks, every test, every scenario on a real cluster. The last line is `N passed, N failed`.
// `npm test -- --only checks|unit|e2e|integration` runs one part; the others are then neither run nor counted.

import { parseArgs } from "node:util";
import { type Result, closingLine, countsOf, reportFor } from "./results.ts";
import { runChecks, runIntegration, runScenarios, runScenariosAndTests, runUnit, timed } from "./suites.ts";

const PARTS = { checks: runChecks, unit: runUnit, e2e: runScenarios, integration: runIntegration } as const;
type Part = keyof typeof PARTS;
const isPart = (name: string): name is Part => Object.hasOwn(PARTS, name);

const { only } = parseArgs({ options: { only: { type: "string" } } }).values;
if (only !== undefined && !isPart(only)) {
  console.error(`cannot run the part ${only}: it must be one of ${Object.keys(PARTS).join(", ")}`);
  process.exit(64);
}

const results: Result[] = [];
const seconds = new Map<string, number>();
const announce = (title: string) => void process.stderr.write(`\n== ${title}\n`);
if (only === undefined) {
  announce("checks (part 1 of 2)");
  take([await timed("checks", runChecks)]);
  // One after the other they would take two minutes more, while the scenarios mostly watch a fleet at rest. On a bare machine it
  // is also the cluster of the scenarios that builds the programs which the integration tests need.
  announce("e2e, with unit and integration in its calm minutes (part 2 of 2)");
  take(await runScenariosAndTests());
} else {
  announce(only);
  take([await timed(only, PARTS[only])]);
}

function take(parts: Awaited<ReturnType<typeof runScenariosAndTests>>): void {
  for (const part of parts) {
    results.push(...part.results);
    for (const { suite } of part.results) seconds.set(suite, part.seconds);
  }
}

const counts = countsOf(results);
console.log(`\n${reportFor(results, seconds)}\n\n${closingLine(counts)}`);
process.exitCode = counts.failed > 0 ? 1 : 0;
