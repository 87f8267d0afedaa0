// `npm run cluster -- COMMAND`: the cluster on its own, without the product in it. Commands only parse, call and print.
import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { Command, CommanderError } from "commander";
import { createProgress } from "../terminal/progress.ts";
import { renderTable } from "../terminal/table.ts";
import { ClusterError, isClusterError } from "./errors.ts";
import { ensureImages, IMAGES, type ImageRequest } from "./images.ts";
import { openCluster } from "./open.ts";
import { describeStatus, hint, statusExitCode } from "./report.ts";

const EXIT_FAILURE = 1;
const EXIT_USAGE = 64;
const EXIT_INTERRUPTED = 130;

const program = new Command("cluster")
  .usage("COMMAND [options]   (as: npm run cluster -- COMMAND)")
  .description(
    "A real Kubernetes on this machine: kind where a Docker engine answers, else its parts as processes (Linux, root).",
  )
  .addHelpText(
    "after",
    `
Environment:
  WSCLUSTER_DRIVER   kind or local, instead of choosing
  WSCLUSTER_STATE    folder of the running cluster (local: /var/lib/wscluster/local)
  XDG_CACHE_HOME     its wscluster/ keeps built programs and images (default: ~/.cache)

Exit codes: 0 done, 1 failed, 64 wrong usage, 130 interrupted; status: 0 up, 3 down, 4 degraded.`,
  )
  .exitOverride();

program
  .command("up")
  .description(
    "start the cluster, or reuse the one that runs; builds what is not cached (local: about 12 minutes once)",
  )
  .action(async () => {
    const driver = await openCluster();
    const progress = createProgress();
    progress.note(`cluster: ${driver.name} (${driver.reason})`);
    const abort = new AbortController();
    // Kept to the end: a second Ctrl-C, or the same one passed on by npm, must not kill the taking down.
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => abort.abort());
    await driver.up(progress, abort.signal);
    console.log(hint(driver));
  });

program
  .command("down")
  .description("take the cluster down, also what a crashed run left; builds stay cached")
  .action(async () => {
    const driver = await openCluster();
    await driver.down(createProgress());
  });

program
  .command("status")
  .description("show what runs; the exit code says it too")
  .action(async () => {
    const driver = await openCluster();
    const status = await driver.status();
    console.log(describeStatus(driver, status));
    process.exitCode = statusExitCode(status);
  });

program
  .command("logs")
  .argument("[component]", "without it: list the components")
  .option("-n, --lines <count>", "how many lines from the end", "200")
  .option("-f, --follow", "go on as the log grows", false)
  .description("show the log of a component of the cluster (pods: kubectl logs)")
  .action(async (component: string | undefined, options: { readonly lines: string; readonly follow: boolean }) => {
    const files = await (await openCluster()).logFiles();
    if (component === undefined) {
      const rows = [...files].map(([name, file]) => [name, `${Math.ceil(statSync(file).size / 1024)} KiB`, file]);
      console.log(rows.length > 0 ? renderTable(["COMPONENT", "SIZE", "FILE"], rows) : "no logs: the cluster is down");
      return;
    }
    const file = files.get(component);
    if (file === undefined) throw new ClusterError("LOG_UNKNOWN", `cannot show the log of ${component}: there is none`);
    await tail(file, options.lines, options.follow);
  });

program
  .command("load-image")
  .argument("<archive>", "docker-archive or OCI archive")
  .argument("[reference]", "its name, for the message", "image")
  .description("bring an image archive to every node")
  .action(async (archive: string, reference: string) => {
    const driver = await openCluster();
    const progress = createProgress();
    progress.begin(1);
    await progress.step(reference, "loading", async (report) => {
      await driver.loadImage(reference, resolve(archive));
      report.done("loaded");
    });
  });

program
  .command("images")
  .argument(
    "[images...]",
    `any of ${Object.keys(IMAGES).join(", ")}, each with an optional :RELEASE`,
    Object.keys(IMAGES),
  )
  .description("build the product's images, bring them to every node and print their references")
  .action(async (names: ImageRequest[]) => {
    const references = await ensureImages(await openCluster(), names, createProgress());
    console.log(renderTable(["IMAGE", "REFERENCE"], Object.entries(references)));
  });

await main();

async function main(): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = exitCodeOf(error);
  }
}

function exitCodeOf(error: unknown): number {
  // Commander has printed help or its message already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  if (isClusterError(error, "INTERRUPTED")) {
    console.error("interrupted; what was begun is taken down");
    return EXIT_INTERRUPTED;
  }
  if (isClusterError(error)) {
    console.error(`error ${error.code}: ${error.message}`);
    return EXIT_FAILURE;
  }
  console.error(error);
  return EXIT_FAILURE;
}

function tail(file: string, lines: string, follow: boolean): Promise<void> {
  return new Promise((resolvePromise, reject) => {
    const child = spawn("tail", ["-n", lines, ...(follow ? ["-F"] : []), file], { stdio: "inherit" });
    child.on("error", reject).on("close", () => resolvePromise());
  });
}
