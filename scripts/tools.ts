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

/** Runs a Node script and collects what it prints; `onOutput` sees it as it comes. */
export async function runTool(
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly onOutput?: (text: string) => void } = {},
): Promise<ToolResult> {
  const started = performance.now();
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...options.env },
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
  return { code, output, seconds: (performance.now() - started) / 1000 };
}
