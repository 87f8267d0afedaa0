// Renders docs/rollout.md: how rollouts are used (prose) and what happens at each event and step (the operator's table).
// Not here: the table itself (operator/src/cluster/decide/rollout/table.ts).

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "./tools.ts";

const TABLE = "operator/src/cluster/decide/rollout/table.ts";

type Texts = Readonly<Record<string, string>>;
type Tables = {
  readonly ROLLOUT_STEPS: Texts;
  readonly ROLLOUT_ACTIONS: Texts;
  readonly ROLLOUT_EVENTS: Texts;
  readonly ROLLOUT_TABLE: Readonly<Record<string, Texts>>;
};

export async function rolloutDocument(): Promise<Readonly<Record<string, string>>> {
  const tables = (await import(pathToFileURL(join(ROOT, TABLE)).href)) as Tables;
  const prose = readFileSync(join(ROOT, "scripts/prose/rollout.md"), "utf8").trimEnd();
  const steps = Object.keys(tables.ROLLOUT_STEPS);
  const rows = Object.entries(tables.ROLLOUT_EVENTS).map(([event, text]) => [
    text,
    ...steps.map((step) => tables.ROLLOUT_TABLE[event]?.[step] ?? ""),
  ]);
  const parts = [
    "# Rollouts",
    "Generated from the sources by `npm run gen`; edits are lost. The words are in `scripts/prose/rollout.md`.",
    prose,
    `## Steps of a candidate (\`${TABLE}\`)`,
    tableText(["step", "meaning"], pairs(tables.ROLLOUT_STEPS)),
    "## What happens at each of them",
    tableText(["event", ...steps], rows),
    "`grow` is shown before anybody is on the candidate; after the last slice it is as `trial`.",
    tableText(["action", "meaning"], pairs(tables.ROLLOUT_ACTIONS)),
    "`operator/src/cluster/rollout-table.long.test.ts` walks every cell.",
  ];
  return { "docs/rollout.md": `${parts.join("\n\n")}\n` };
}

function pairs(texts: Texts): string[][] {
  return Object.entries(texts).map(([name, text]) => [`\`${name}\``, text]);
}

function tableText(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [columns, columns.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
