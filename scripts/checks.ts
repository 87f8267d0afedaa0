// The checks that need no running program: each counts as one test. Not here: the tests themselves (suites.ts).

import { globSync } from "node:fs";
import { vagueNames } from "./file-names.ts";
import { differing, generate } from "./generated.ts";
import { ROOT, runTool, toolPath } from "./tools.ts";

export type CheckOutcome = { readonly ok: boolean; readonly output: string };
export type Check = { readonly name: string; readonly run: () => Promise<CheckOutcome> };

const tool = async (name: string, ...args: string[]): Promise<CheckOutcome> => {
  const { code, output } = await runTool([toolPath(name), ...args]);
  return { ok: code === 0, output };
};

export const CHECKS: readonly Check[] = [
  {
    name: "generated files",
    run: async () => {
      const { files, problems } = await generate();
      const stale = differing(files).map((path) => `${path} is not what the sources give; run \`npm run gen\``);
      const lines = [...problems, ...stale];
      return { ok: lines.length === 0, output: lines.join("\n") };
    },
  },
  {
    name: "file names",
    run: () => {
      const isForeign = (path: string) => /(^|\/)(node_modules|dist|\.git)(\/|$)/.test(path);
      const vague = vagueNames(globSync("**/*", { cwd: ROOT, exclude: isForeign }));
      return Promise.resolve({
        ok: vague.length === 0,
        output: vague.map((path) => `${path}: say what it is`).join("\n"),
      });
    },
  },
  { name: "format", run: () => tool("oxfmt", "--check", ".") },
  { name: "lint", run: () => tool("oxlint") },
  { name: "types", run: () => tool("typescript", "-b") },
  { name: "unused code", run: () => tool("knip", "--no-progress", "--no-config-hints") },
];
