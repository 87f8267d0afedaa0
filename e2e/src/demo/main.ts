// `npm run demo`: from nothing to a live blue-green rollout under traffic, with the loss report at the end.
import { writeFile } from "node:fs/promises";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { isClusterError } from "../cluster/errors.ts";
import { runDemo, type DemoOptions } from "./demo.ts";

const EXIT_FAILURE = 1;
const EXIT_USAGE = 64;
const EXIT_INTERRUPTED = 130;
const MAX_CLIENTS = 6_000;

function parseClients(text: string): number {
  const clients = Number(text);
  if (Number.isInteger(clients) && clients >= 4 && clients <= MAX_CLIENTS) return clients;
  throw new InvalidArgumentError(`give a whole number from 4 to ${MAX_CLIENTS}.`);
}

type Flags = { readonly keep: boolean; readonly clients: number; readonly report?: string };

const program = new Command("demo")
  .usage("[options]   (as: npm run demo -- [options])")
  .description("A real Kubernetes, 500 clients, a new image: watch every live connection move and nothing get lost.")
  .option("--keep", "leave the cluster and the WebSocketCluster running, with what to try next", false)
  .option("--clients <number>", "SDK clients", parseClients, 500)
  .option("--report <file>", "write the figures as JSON")
  .addHelpText("after", "\nExit codes: 0 nothing lost, 1 a loss or a failure, 64 wrong usage, 130 interrupted.")
  .exitOverride()
  .action(async (flags: Flags) => {
    const abort = new AbortController();
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.on(signal, () => {
        if (abort.signal.aborted) process.stderr.write("still cleaning up ...\n");
        abort.abort();
      });
    const options: DemoOptions = { keep: flags.keep, clients: flags.clients, signal: abort.signal };
    try {
      const report = await runDemo(options);
      if (flags.report !== undefined) await writeFile(flags.report, `${JSON.stringify(report, null, 2)}\n`);
      process.exitCode = report.ok ? 0 : EXIT_FAILURE;
    } catch (error) {
      if (abort.signal.aborted) {
        process.exitCode = EXIT_INTERRUPTED;
        return;
      }
      throw error;
    }
  });

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
  else {
    console.error(isClusterError(error) ? `error ${error.code}: ${error.message}` : error);
    process.exitCode = EXIT_FAILURE;
  }
}
