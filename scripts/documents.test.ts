import { globSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { foreignDependencies, namedPaths, tableNames } from "./documents.ts";
import { ROOT } from "./tools.ts";

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const folders = readdirSync(ROOT, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !entry.name.startsWith(".") && entry.name !== "node_modules")
  .map((entry) => entry.name);

describe("docs/dependencies.md", () => {
  it("has a line for each dependency of each package.json, and none for what is gone", () => {
    const manifests = ["package.json", ...globSync("{*,examples/*}/package.json", { cwd: ROOT })];
    const used = new Set(manifests.flatMap((path) => foreignDependencies(JSON.parse(read(path)))));
    expect([...tableNames(read("docs/dependencies.md"))].sort()).toEqual([...used].sort());
  });
});

describe("pages that name files", () => {
  it.each(["docs/architecture.md", "docs/dependencies.md", "CONTRIBUTING.md"])("%s names only what exists", (page) => {
    const paths = namedPaths(read(page), folders);
    expect(paths.length).toBeGreaterThan(0);
    expect(paths.filter((path) => globSync(path, { cwd: ROOT }).length === 0)).toEqual([]);
  });
});

describe("docs/adr", () => {
  it("is numbered without a hole, and each page has its number in the title", () => {
    const pages = readdirSync(join(ROOT, "docs/adr")).sort();
    const titles = pages.map((page) => read(`docs/adr/${page}`).split("\n")[0]);
    expect(pages.map((page) => page.slice(0, 4))).toEqual(
      pages.map((_page, index) => String(index + 1).padStart(4, "0")),
    );
    expect(titles.map((title) => title?.slice(0, 6))).toEqual(pages.map((page) => `# ${page.slice(0, 4)}`));
  });
});
