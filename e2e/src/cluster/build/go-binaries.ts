// Builds the parts from Go modules, one after another, and keeps each by version in the cache folder.
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Progress } from "../../terminal/progress.ts";
import { run, tryRun } from "../command.ts";
import { ClusterError } from "../errors.ts";
import { binaryPath, cacheDirectory } from "../paths.ts";
import { PARTS, type GoSource, type Part, type PartName } from "../versions.ts";
import { goBuildArguments, goModFor, isGoUsable } from "./go-modules.ts";

const GO_ENVIRONMENT = { CGO_ENABLED: "0", GOFLAGS: "-buildvcs=false", GOWORK: "off" };

/** Parts whose program of the wanted version is not in the cache. */
export function missingParts(names: readonly PartName[]): Part[] {
  return names.map((name) => PARTS[name]).filter((part) => !existsSync(binaryPath(part.name, part.version)));
}

/** The path of a part's program; it may not exist yet. */
export function partPath(name: PartName): string {
  return binaryPath(PARTS[name].name, PARTS[name].version);
}

/** Builds one part as a progress step and returns the program's path. */
export async function buildPart(part: Part, progress: Progress, signal?: AbortSignal): Promise<string> {
  const target = binaryPath(part.name, part.version);
  return progress.step(`${part.name} ${part.version}`, "building", async (report) => {
    const folder = join(cacheDirectory(), "build", part.source.build);
    await mkdir(folder, { recursive: true });
    await mkdir(join(cacheDirectory(), "bin"), { recursive: true });
    await writeGoMod(part.source, folder, signal);
    // Built beside and renamed: a build that was interrupted must never look like a finished program.
    const partial = `${target}.${process.pid}.partial`;
    try {
      await run(["go", ...goBuildArguments(part, partial)], {
        cwd: folder,
        env: GO_ENVIRONMENT,
        signal,
        code: "GO_BUILD_FAILED",
        onLine: (line) => report.doing(line.startsWith("go: downloading") ? "fetching modules" : "building"),
      });
      await rename(partial, target);
    } finally {
      await rm(partial, { force: true });
    }
    report.done("built");
    return target;
  });
}

/** Throws `GO_MISSING` unless a Go that can build the parts is there. */
export async function assertGo(): Promise<void> {
  const version = await tryRun(["go", "version"]).catch(() => undefined);
  const toolchain = version && (await tryRun(["go", "env", "GOTOOLCHAIN"])).stdout.trim();
  if (version?.status === 0 && isGoUsable(version.stdout, toolchain ?? "")) return;
  const found = version?.status === 0 ? `found ${version.stdout.trim()}` : "no `go` on the PATH";
  throw new ClusterError("GO_MISSING", `cannot build the parts of Kubernetes: ${found}`);
}

async function writeGoMod(source: GoSource, folder: string, signal?: AbortSignal): Promise<void> {
  const file = join(folder, "go.mod");
  // The compiler completes the file and go.sum as it builds; a finished one saves looking everything up again.
  if (existsSync(file)) return;
  const staging =
    source.staging === undefined ? undefined : await downloadGoMod(source, source.staging, folder, signal);
  await writeFile(file, goModFor(source, staging));
}

async function downloadGoMod(source: GoSource, module: string, cwd: string, signal?: AbortSignal): Promise<string> {
  const answer = await run(["go", "mod", "download", "-json", `${module}@${source.requires[module]}`], {
    cwd,
    env: GO_ENVIRONMENT,
    signal,
    code: "GO_BUILD_FAILED",
  });
  const { GoMod } = JSON.parse(answer) as { readonly GoMod: string };
  return readFile(GoMod, "utf8");
}
