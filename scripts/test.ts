// `npm test`: checks, every test, every scenario on a real cluster. The last line is `N passed, N failed`.
// `npm test -- --only checks|unit|e2e|integration` runs one part; the others are then neither run nor counted.

import { parseArgs } from "node:util";
import { type Result, closingLine, countsOf, reportFor } from "./results.ts";
import { runChecks, runIntegration, runScenarios, runUnit } from "./suites.ts";

// Integration comes last: on a bare machine it is the cluster of the scenarios that builds the programs it needs.
const PARTS = { checks: runChecks, unit: runUnit, e2e: runScenarios, integration: runIntegration } as const;
type Part = keyof typeof PARTS;
const isPart = (name: string): name is Part => Object.hasOwn(PARTS, name);

const { only } = parseArgs({ options: { only: { type: "string" } } }).values;
if (only !== undefined && !isPart(only)) {
  console.error(`cannot run the part ${only}: it must be one of ${Object.keys(PARTS).join(", ")}`);
  process.exit(64);
}

const parts = Object.keys(PARTS)
  .filter(isPart)
  .filter((part) => only === undefined || part === only);
const results: Result[] = [];
const seconds = new Map<string, number>();
for (const [index, part] of parts.entries()) {
  process.stderr.write(`\n== ${part} (part ${index + 1} of ${parts.length})\n`);
  const started = performance.now();
  const found = await PARTS[part]();
  results.push(...found);
  for (const { suite } of found) seconds.set(suite, (performance.now() - started) / 1000);
}
const counts = countsOf(results);
console.log(`\n${reportFor(results, seconds)}\n\n${closingLine(counts)}`);
process.exitCode = counts.failed > 0 ? 1 : 0;
