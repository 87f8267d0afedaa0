// What the hand-written pages claim about the repository, so that a test can hold them to it. Pure.

type Manifest = {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
};

/** Packages of others that a package.json names. */
export function foreignDependencies(manifest: Manifest): readonly string[] {
  const { dependencies, devDependencies, optionalDependencies } = manifest;
  const names = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies });
  return names.filter((name) => !name.startsWith("@wscluster/"));
}

/** First cells of the tables of a page, as in `| \`name\` | ...`. */
export function tableNames(markdown: string): readonly string[] {
  return [...markdown.matchAll(/^\| `([^`]+)` \|/gm)].flatMap((match) => match[1] ?? []);
}

/** Paths of the repository that a page names in back-quotes: they hold a slash and begin with a folder that exists. */
export function namedPaths(markdown: string, folders: readonly string[]): readonly string[] {
  const quoted = [...markdown.matchAll(/`([^`\s]+)`/g)].flatMap((match) => match[1] ?? []);
  return quoted.filter((text) => folders.some((folder) => text.startsWith(`${folder}/`)));
}
