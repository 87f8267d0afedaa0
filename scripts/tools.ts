// Where the repository and its tools are, and how to run one. Not here: what is run (checks.ts).

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** The script of a tool in node_modules, so that it runs on this Node and not on the system's. */
export function toolPath(name: string): string {
  const folder = join(ROOT, "node_modules", name);
  const { bin } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    bin: string | Record<string, string>;
  };
  const file = typeof bin === "string" ? bin : bin[PROGRAMS[name] ?? name];
  if (file === undefined) throw new Error(`cannot run ${name}: its package.json names no such program`);
  return join(folder, file);
}

/** Packages whose program has another name. */
const PROGRAMS: Readonly<Record<string, string>> = { typescript: "tsc" };

export type ToolResult = { readonly code: number; readonly output: string; readonly seconds: number };

const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

/**
 * Runs a Node script and collects what it prints; `onOutput` sees it as it comes. When we are told to stop, the script is told
 * as well and its end is awaited (a scenario takes its cluster down), then this process exits.
 */
export async function runTool(
  args: readonly string[],
  options: { readonly onOutput?: (text: string) => void } = {},
): Promise<ToolResult> {
  const started = performance.now();
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  let exitCode: number | undefined;
  const handlers = Object.entries(SIGNALS).map(([name, number]) => {
    const signal = name as keyof typeof SIGNALS;
    const handler = () => {
      exitCode = 128 + number;
      // Ctrl-C in a terminal already reached the child; only a signal sent to us alone has to be passed on.
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    };
    process.on(signal, handler);
    return () => process.off(signal, handler);
  });
  let output = "";
  const collect = (chunk: Buffer) => {
    output += chunk.toString("utf8");
    options.onOutput?.(chunk.toString("utf8"));
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  const code = await new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    // After "close" no more output comes, unlike after "exit".
    child.on("close", (status) => resolve(status ?? 1));
  });
  for (const remove of handlers) remove();
  if (exitCode !== undefined) process.exit(exitCode);
  return { code, output, seconds: (performance.now() - started) / 1000 };
}
