// The go.mod from which a part is built, as text. Pure; go-binaries.ts writes it and runs the compiler.
import type { GoSource, Part } from "../versions.ts";

const GO_DIRECTIVE = "1.26.0";

/**
 * The modules that `goMod` replaces by folders of its own repository (`k8s.io/api => ./staging/src/k8s.io/api`). A module
 * that is used as a dependency loses its `replace` lines, so each has to be pointed at its published version instead.
 */
export function stagingModules(goMod: string): string[] {
  const found = new Set<string>();
  for (const match of goMod.matchAll(/^\s*(?:replace\s+)?(\S+)(?:\s+v\S+)?\s+=>\s+\.\/staging\/\S+/gm)) {
    if (match[1] !== undefined) found.add(match[1]);
  }
  return [...found].toSorted();
}

/** The `replace` lines of a module that name another published version: they too hold only for a main module. */
function publishedReplaces(goMod: string): string[] {
  const lines = goMod.matchAll(/^\s*(?:replace\s+)?(\S+(?:\s+v\S+)?\s+=>\s+[^\s.]\S*\s+v\S+)\s*$/gm);
  return [...lines].map((match) => match[1] ?? "").toSorted();
}

/** `1.37.2` -> `v0.37.2`: staging modules are published with major version 0 and the minor and patch of their release. */
export function stagingVersion(version: string): string {
  const [, minor = "0", patch = "0"] = version.replace(/^v/, "").split(".");
  return `v0.${minor}.${patch}`;
}

/** The `godebug` settings of a module: they hold only for a main module, so the build has to repeat them. */
function godebugLines(goMod: string): string[] {
  return [...goMod.matchAll(/^godebug\s+(\w+=\S+)$/gm)].map((match) => `godebug ${match[1]}`);
}

/** Renders the go.mod of a build; `stagingGoMod` is the go.mod of `source.staging`, where it has one. */
export function goModFor(source: GoSource, stagingGoMod?: string): string {
  const lines = ["module wscluster.local/build", "", `go ${GO_DIRECTIVE}`, ""];
  if (stagingGoMod !== undefined) lines.push(...godebugLines(stagingGoMod), "");
  for (const [path, version] of Object.entries(source.requires)) lines.push(`require ${path} ${version}`);
  const version = source.staging === undefined ? undefined : source.requires[source.staging];
  if (stagingGoMod !== undefined && version !== undefined) {
    const staged = stagingModules(stagingGoMod).map((module) => `${module} => ${module} ${stagingVersion(version)}`);
    const replaces = [...publishedReplaces(stagingGoMod), ...staged].map((replace) => `\t${replace}`);
    lines.push("", "replace (", ...replaces, ")");
  }
  return `${lines.join("\n")}\n`;
}

/** The compiler's arguments. `-mod=mod` lets it add what go.mod does not list yet; `-s -w` halves the files. */
export function goBuildArguments(part: Part, output: string): string[] {
  const variables = Object.entries(part.source.variables).map(([name, value]) => `-X ${name}=${value}`);
  return [
    "build",
    "-mod=mod",
    "-trimpath",
    "-ldflags",
    ["-s", "-w", ...variables].join(" "),
    "-o",
    output,
    part.package,
  ];
}

/** Whether `go version` output names a release that can build the parts, by itself or by fetching a newer toolchain. */
export function isGoUsable(versionOutput: string, toolchain: string): boolean {
  const match = /go(\d+)\.(\d+)/.exec(versionOutput);
  if (!match) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  if (major > 1 || minor >= 26) return true;
  return minor >= 21 && toolchain !== "local";
}
