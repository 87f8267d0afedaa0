// The unit and integration tests as a script that the scenario run starts in its calm minutes: five minutes of its time are a
// watch over a fleet at rest. Writes its results as JSON to the file that WSCLUSTER_RESULTS names.

import { writeFileSync } from "node:fs";
import { runTests } from "./suites.ts";

const file = process.env["WSCLUSTER_RESULTS"];
if (file === undefined) {
  console.error("cannot write the results: WSCLUSTER_RESULTS must name a file");
  process.exit(64);
}
writeFileSync(file, JSON.stringify(await runTests()));
