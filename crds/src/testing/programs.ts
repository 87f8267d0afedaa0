// Finds the real programs that integration tests need. They are built by `npm run cluster -- up` and never part of this repository.

import { accessSync, constants, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

export type Program =
  | { readonly found: true; readonly path: string }
  | { readonly found: false; readonly reason: string };

/**
 * The newest cached build of `name`, or why there is none. `WSCLUSTER_BIN` names another folder, for example one with the
 * programs of a distribution.
 */
export function findProgram(name: string, env: Environment = process.env): Program {
  const cache = env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  const folder = env["WSCLUSTER_BIN"] || join(cache, "wscluster", "bin");
  const path = candidatesIn(folder, name)
    .map((file) => join(folder, file))
    .find(isExecutable);
  if (path !== undefined) return { found: true, path };
  return { found: false, reason: `${name} is not in the program cache; \`npm run cluster -- up\` builds it` };
}

/** `NAME-VERSION` files, newest version first, then the plain name. */
function candidatesIn(folder: string, name: string): readonly string[] {
  const isVersion = (file: string) => file.startsWith(`${name}-`) && /^v?\d/.test(file.slice(name.length + 1));
  const compare = new Intl.Collator("en", { numeric: true }).compare;
  return [...listOf(folder).filter(isVersion).sort(compare).reverse(), name];
}

function listOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
