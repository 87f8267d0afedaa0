// Every generated file of the repository, made in memory: gen.ts writes them, the check compares them with the tree.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { crdArtefacts } from "@wscluster/crds/gen";
import { apiDocuments } from "./api-document.ts";
import { lintConfig } from "./lint-config.ts";
import { protocolDocuments } from "./protocol-document.ts";
import { rolloutDocument } from "./rollout-document.ts";
import { tableDocuments } from "./tables.ts";
import { ROOT } from "./tools.ts";

type Generated = { readonly files: Readonly<Record<string, string>>; readonly problems: readonly string[] };

export async function generate(): Promise<Generated> {
  const crds = crdArtefacts();
  const files = {
    ...crds.files,
    ...(await tableDocuments()),
    ...(await rolloutDocument()),
    ...protocolDocuments(),
    ...(await apiDocuments()),
    ".oxlintrc.json": `${JSON.stringify(lintConfig(), undefined, 2)}\n`,
  };
  return { files, problems: crds.problems };
}

/** Paths whose content in the tree is not what the sources give. Independent of what git thinks of the tree. */
export function differing(files: Generated["files"], root: string = ROOT): readonly string[] {
  return Object.keys(files).filter((path) => contentOf(join(root, path)) !== files[path]);
}

/** Writes what differs and returns those paths. */
export function writeGenerated(files: Generated["files"], root: string = ROOT): readonly string[] {
  const paths = differing(files, root);
  for (const path of paths) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), files[path] ?? "");
  }
  return paths;
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
