// The chart as a later release may bring it: its CRD writes down what the absence of some fields has meant so far.
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CHART } from "./install.ts";

/** Defaults by the description of the field. */
const DEFAULTS: ReadonlyMap<string, string> = new Map([
  ["URL path of the WebSocket endpoint. Defaults to /ws.", "/ws"],
  ["Time that a pod has to move its clients when it is deleted from outside. Defaults to 300.", "300"],
]);

export type NextChart = { readonly folder: string; remove(): Promise<void> };

export async function makeNextChart(): Promise<NextChart> {
  const parent = await mkdtemp(join(tmpdir(), "wscluster-chart-"));
  const folder = join(parent, "wscluster");
  await cp(CHART, folder, { recursive: true });
  const file = join(folder, "templates", "crds.yaml");
  await writeFile(file, withDefaults(await readFile(file, "utf8")));
  return { folder, remove: () => rm(parent, { recursive: true }) };
}

function withDefaults(text: string): string {
  let next = text;
  for (const [description, value] of DEFAULTS) {
    const line = new RegExp(`^( *)description: ${description.replaceAll(/[.*/]/g, "\\$&")}$`, "m");
    if (!line.test(next)) throw new Error(`the CRD has no field with the description ${description}`);
    next = next.replace(line, (found, indent: string) => `${indent}default: ${value}\n${found}`);
  }
  return next;
}
