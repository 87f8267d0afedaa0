// `npm run unit`: vitest on the project's own Node, with the arguments passed on. Not here: counting (test.ts).

import { runTool, toolPath } from "./tools.ts";

const args = process.argv.slice(2);
const { code } = await runTool([toolPath("vitest"), "run", ...args], {
  onOutput: (text) => void process.stdout.write(text),
});
process.exitCode = code;
