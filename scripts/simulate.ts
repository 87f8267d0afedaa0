// `npm run simulate -- --runs 3400 --seed 1`: the simulated lives of a fleet, as many as one has patience for, in each kind of weather.
// A seed that breaks a promise is printed with its story; the same seed breaks it again. Not here: the simulation (e2e/src/sdk/).

import { parseArgs } from "node:util";
import { runTool, toolPath } from "./tools.ts";

const USAGE = `usage: npm run simulate -- [--runs N] [--seed N]
  --runs N   lives in each of the three kinds of weather (default 1000; about 20 a second)
  --seed N   the first seed (default 1)`;

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" },
    help: { type: "boolean", default: false },
  },
});
const isCount = (text: string) => /^[1-9]\d{0,6}$/.test(text);
if (values.help) {
  console.log(USAGE);
} else if (!isCount(values.runs) || !isCount(values.seed)) {
  console.error(`cannot simulate: --runs and --seed take a number from 1 on\n${USAGE}`);
  process.exitCode = 64;
} else {
  process.env["WSCLUSTER_SIMULATIONS"] = values.runs;
  process.env["WSCLUSTER_SEED"] = values.seed;
  const args = [toolPath("vitest"), "run", "e2e/src/sdk/simulation.long.test.ts"];
  const { code } = await runTool(args, { onOutput: (text) => void process.stdout.write(text) });
  process.exitCode = code === 0 ? 0 : 1;
}
