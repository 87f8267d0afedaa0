// Other languages on this machine: what is there, and what has to be fetched once. Not here: the programs.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

export const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));
const CACHE = join(REPOSITORY, "node_modules/.cache/foreign");

/** A program to run, or why there is none. */
export type Tool = { readonly found: true; readonly path: string } | { readonly found: false; readonly reason: string };

/** For the title of a suite that is skipped. */
export const whySkipped = (tool: Tool) => (tool.found ? "" : ` (skipped: ${tool.reason})`);

/** Python in a virtual environment with what `requirements` names; made once per content of that file. */
export async function pythonWith(requirements: string): Promise<Tool> {
  try {
    await run("python3", ["-c", "import sys; assert sys.version_info >= (3, 11); import venv, ensurepip"]);
  } catch {
    return { found: false, reason: "no Python 3.11 or newer with venv" };
  }
  const digest = createHash("sha256").update(readFileSync(requirements)).digest("hex").slice(0, 12);
  const folder = join(CACHE, `python-${digest}`);
  const path = join(folder, "bin/python");
  if (existsSync(path)) return { found: true, path };
  // Test files run beside each other: each makes its own, and the first one to finish is kept.
  const own = `${folder}-${process.pid}`;
  try {
    mkdirSync(CACHE, { recursive: true });
    await run("python3", ["-m", "venv", own]);
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements];
    await run(join(own, "bin/python"), pip);
    keepFirst(own, folder);
    return { found: true, path };
  } catch (error) {
    rmSync(own, { recursive: true, force: true });
    return { found: false, reason: `pip could not install ${requirements}: ${lastLineOf(error)}` };
  }
}

function keepFirst(own: string, shared: string): void {
  try {
    renameSync(own, shared);
  } catch (error) {
    if (!existsSync(shared)) throw error;
    rmSync(own, { recursive: true, force: true });
  }
}

/** A Go program, built once per run. */
export async function goProgram(folder: string): Promise<Tool> {
  try {
    await run("go", ["version"]);
  } catch {
    return { found: false, reason: "no Go" };
  }
  const path = join(CACHE, "go-client");
  const own = `${path}-${process.pid}`;
  try {
    mkdirSync(CACHE, { recursive: true });
    await run("go", ["build", "-o", own, "."], { cwd: folder, timeout: 180_000 });
    renameSync(own, path);
    return { found: true, path };
  } catch (error) {
    return { found: false, reason: `go could not build ${folder}: ${lastLineOf(error)}` };
  }
}

/** Java that runs a source file: 17 or newer with its compiler. */
export async function java(): Promise<Tool> {
  try {
    const { stdout } = await run("java", ["--list-modules"]);
    const major = Number(/^java\.base@(\d+)/m.exec(stdout)?.[1]);
    if (major < 17) return { found: false, reason: `Java ${major} is older than 17` };
    if (!stdout.includes("jdk.compiler@")) return { found: false, reason: "Java without its compiler" };
    return { found: true, path: "java" };
  } catch {
    return { found: false, reason: "no Java" };
  }
}

function lastLineOf(error: unknown): string {
  return String(error).trim().split("\n").at(-1) ?? "";
}
