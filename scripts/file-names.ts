// Names that say nothing about what is inside. Pure.

const EMPTY_WORDS = new Set(["util", "utils", "helper", "helpers", "manager", "managers", "common", "misc", "base"]);

/** Source files whose name, or whose folder's name, is or ends with such a word. `base-image.ts` is fine: its last word says what it is. */
export function vagueNames(paths: readonly string[]): readonly string[] {
  return paths.filter(
    (path) => /\.(ts|mjs)$/.test(path) && path.split("/").some((part) => EMPTY_WORDS.has(lastWordOf(part))),
  );
}

function lastWordOf(part: string): string {
  const stem = part.split(".")[0] ?? part;
  return stem.split(/[-_]/).at(-1)?.toLowerCase() ?? stem;
}
