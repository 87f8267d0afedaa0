// Finds the tables of codes, reasons and metrics in the sources and renders them as Markdown. The tables are where the code
// uses them; this file only reads. Not here: the resource's reference (crds/src/gen).

import { globSync } from "node:fs";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "./tools.ts";

type Row = Readonly<Record<string, unknown>>;
type Table = { readonly name: string; readonly file: string; readonly rows: readonly (readonly [string, Row])[] };

const HEADER = "Generated from the sources by `npm run gen`; edits are lost.";

export async function tableDocuments(): Promise<Readonly<Record<string, string>>> {
  const errors = await tablesIn("*/src/**/{errors,error-codes,error-table}.ts", /_ERRORS$/);
  const metrics = await tablesIn("*/src/**/metrics.ts", /_METRICS$/);
  const codes = await tablesIn("protocol/src/close-codes.ts", /^CLOSE_CODES$/);
  const reasons = await tablesIn(
    "operator/src/cluster/reasons.ts",
    /^(CONDITION_TYPES|CONDITION_REASONS|EVENT_REASONS)$/,
  );
  return {
    "docs/errors.md": document("Errors", "Codes are stable; messages may change.", errors.map(errorSection)),
    "docs/metrics.md": document(
      "Metrics",
      "Base units, no label without a bound. Every process serves them at `/metrics` on its admin port.",
      metrics.map(metricSection),
    ),
    "docs/close-codes.md": document(
      "Close codes",
      "The range decides what a client does: 4000-4099 stay away, 4100-4199 back off, 4200-4299 come back in the window and resume.",
      codes.map(closeSection),
    ),
    "docs/reasons.md": document(
      "Conditions, reasons and events",
      "What `kubectl describe wsc` can say, and what it means.",
      reasons.map(reasonSection),
    ),
  };
}

async function tablesIn(pattern: string, name: RegExp): Promise<readonly Table[]> {
  const files = globSync(pattern, {
    cwd: ROOT,
    exclude: (path) => /(^|\/)(node_modules|dist)(\/|$)/.test(path),
  }).sort();
  const found: Table[] = [];
  for (const file of files) {
    const module = (await import(pathToFileURL(join(ROOT, file)).href)) as Readonly<Record<string, unknown>>;
    for (const [key, value] of Object.entries(module)) {
      if (name.test(key)) found.push({ name: key, file: relative(ROOT, join(ROOT, file)), rows: rowsOf(value) });
    }
  }
  return found;
}

/** A table is an object of rows; a row that is only a text is its meaning. */
function rowsOf(value: unknown): readonly (readonly [string, Row])[] {
  return Object.entries(Object(value) as Row).map(([key, row]) => [
    key,
    typeof row === "string" ? { meaning: row } : (row as Row),
  ]);
}

function document(title: string, lead: string, sections: readonly string[]): string {
  return `# ${title}\n\n${HEADER}\n${lead}\n\n${sections.join("\n")}`;
}

function section(
  table: Table,
  title: string,
  columns: readonly string[],
  cells: (key: string, row: Row) => readonly unknown[],
) {
  const lines = table.rows.map(([key, row]) => `| ${cells(key, row).map(cell).join(" | ")} |`);
  const head = `| ${columns.join(" | ")} |\n|${columns.map(() => "---").join("|")}|`;
  return `## ${title} (\`${table.file}\`)\n\n${head}\n${lines.join("\n")}\n`;
}

function cell(value: unknown): string {
  const parts: readonly unknown[] = Array.isArray(value) ? value : [value];
  const text = parts.map(textOf).join(", ");
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

function textOf(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

function errorSection(table: Table): string {
  const titles: Readonly<Record<string, string>> = {
    WIRE_ERRORS: "`err` frames: what a server answers to a client",
    CLIENT_ERRORS: "The client SDK",
    CLUSTER_ERRORS: "The local cluster commands",
  };
  const hasRetry = table.rows.some(([, row]) => "retry" in row);
  const meaning = (row: Row) => row["meaning"] ?? row["next"] ?? row["message"];
  const title = titles[table.name] ?? table.name;
  if (!hasRetry)
    return section(table, title, ["code", "meaning or next step"], (key, row) => [`\`${key}\``, meaning(row)]);
  return section(table, title, ["code", "try again", "meaning"], (key, row) => [
    `\`${key}\``,
    row["retry"] === true ? "yes" : "no",
    meaning(row),
  ]);
}

function metricSection(table: Table): string {
  const titles: Readonly<Record<string, string>> = { SERVER_METRICS: "Server", OPERATOR_METRICS: "Operator" };
  return section(table, titles[table.name] ?? table.name, ["name", "kind", "labels", "meaning"], (key, row) => [
    `\`${key}\``,
    row["kind"],
    row["labels"],
    row["help"],
  ]);
}

function closeSection(table: Table): string {
  return section(table, "All codes", ["code", "name", "the client then", "meaning"], (_key, row) => [
    row["code"],
    row["name"],
    row["action"],
    row["meaning"],
  ]);
}

function reasonSection(table: Table): string {
  const titles: Readonly<Record<string, string>> = {
    CONDITION_TYPES: "Conditions",
    CONDITION_REASONS: "Reasons of conditions",
    EVENT_REASONS: "Events",
  };
  const title = titles[table.name] ?? table.name;
  if (table.name !== "EVENT_REASONS")
    return section(table, title, ["name", "meaning"], (key, row) => [`\`${key}\``, row["meaning"]]);
  return section(table, title, ["reason", "type", "meaning"], (key, row) => [
    `\`${key}\``,
    row["type"],
    row["meaning"],
  ]);
}
