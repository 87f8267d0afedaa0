// Composition root of the operator image; the only file here that reads process.env and argv and ends the process.
import { programFor } from "./cli/program.ts";
import { runAgent } from "./edge/index.ts";
import { runOperator } from "./run-operator.ts";

const program = programFor({
  env: process.env,
  run: runOperator,
  agent: runAgent,
  onExit: (code) => process.exit(code),
});

try {
  await program.parseAsync(process.argv);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
