// Tells a story into a file that people can read, and holds the file against the next telling. Test code only.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The stored telling; with WSC_WRITE_GOLDEN=1 it is written anew (look at the difference before you commit it). */
export function goldenOf(name: string, told: readonly string[]): string {
  const path = fileURLToPath(new URL(`../testdata/${name}.golden`, import.meta.url));
  if (process.env["WSC_WRITE_GOLDEN"] === "1") writeFileSync(path, textOf(told));
  return readFileSync(path, "utf8");
}

export function textOf(told: readonly string[]): string {
  return `${told.join("\n")}\n`;
}
