// `npm run check`: everything that is quick, in under a minute. Long tests and those that start real programs are left to `npm test`.

import { closingLine, countsOf, reportFor } from "./results.ts";
import { runChecks, runShortUnit } from "./suites.ts";

const started = performance.now();
const checks = await runChecks();
const between = performance.now();
const tests = await runShortUnit();
const results = [...checks, ...tests];
const seconds = new Map([
  ["checks", (between - started) / 1000],
  ["unit", (performance.now() - between) / 1000],
]);
const counts = countsOf(results);
console.log(`\n${reportFor(results, seconds)}\n\n${closingLine(counts)}`);
process.exitCode = counts.failed > 0 ? 1 : 0;
