// Configuration from the environment through one zod schema whose keys are the variables. Not here: the schemas themselves.

import { z } from "zod";

export type ConfigResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly string[] };

/** A whole number in a text variable. */
export function integerVariable(bounds: { readonly min: number; readonly max: number }) {
  return z.preprocess(
    (value) => (typeof value === "string" && /^-?\d+$/.test(value.trim()) ? Number(value) : value),
    z.int(`must be a whole number from ${bounds.min} to ${bounds.max}`).min(bounds.min).max(bounds.max),
  );
}

/** `true` or `false` in a text variable. */
export function booleanVariable() {
  return z.preprocess(
    (value) => (value === "true" ? true : value === "false" ? false : value),
    z.boolean("must be true or false"),
  );
}

/** A comma-separated list in a text variable; empty parts are dropped. */
export function listVariable() {
  return z.preprocess(
    (value) =>
      typeof value === "string"
        ? value
            .split(",")
            .map((part) => part.trim())
            .filter((part) => part !== "")
        : value,
    z.array(z.string()),
  );
}

/**
 * Reads the variables that the schema names. An empty variable counts as absent. All problems are reported at once, each with the
 * variable's name; values are never repeated, since they may be secrets.
 */
export function loadConfig<S extends z.ZodObject>(
  schema: S,
  env: Readonly<Record<string, string | undefined>>,
): ConfigResult<z.output<S>> {
  const given: Record<string, string> = {};
  for (const name of Object.keys(schema.shape)) {
    const value = env[name];
    if (value !== undefined && value !== "") given[name] = value;
  }
  const parsed = schema.safeParse(given);
  if (parsed.success) return { ok: true, value: parsed.data };
  return {
    ok: false,
    problems: parsed.error.issues.map((issue) => `${issue.path.join(".") || "configuration"}: ${issue.message}`),
  };
}

export type ConfigRow = { readonly name: string; readonly fallback: string; readonly meaning: string };

/** One row per variable, for `--help` and the generated reference. */
export function configRows(schema: z.ZodObject): readonly ConfigRow[] {
  return Object.entries(schema.shape).map(([name, field]) => {
    const parsed = z.safeParse(field as z.ZodType, undefined);
    const fallback = parsed.success ? parsed.data : undefined;
    return {
      name,
      fallback: parsed.success ? (fallback === undefined ? "" : printed(fallback)) : "(required)",
      meaning: (field as z.ZodType).description ?? "",
    };
  });
}

function printed(value: unknown): string {
  return Array.isArray(value) ? value.join(",") : String(value);
}

/** Text of `--help`. */
export function configHelp(schema: z.ZodObject): string {
  const rows = configRows(schema);
  const width = Math.max(...rows.map((row) => row.name.length));
  return rows
    .map((row) => `  ${row.name.padEnd(width)}  ${row.meaning}${row.fallback === "" ? "" : ` [${row.fallback}]`}`)
    .join("\n");
}

/** One line per setting of a file: its path, and its default where it has one. */
export function settingsHelp(schema: z.ZodObject): string {
  return settingRows(schema, "")
    .map(({ path, fallback }) => `  ${path}${fallback === undefined ? "" : ` [${printed(fallback)}]`}`)
    .join("\n");
}

function settingRows(
  schema: z.ZodObject,
  above: string,
): readonly { readonly path: string; readonly fallback: unknown }[] {
  return Object.entries(schema.shape).flatMap(([name, field]) => {
    const path = `${above}${name}`;
    const inner = unwrapped(field as z.ZodType);
    if (inner instanceof z.ZodObject) return settingRows(inner, `${path}.`);
    const parsed = z.safeParse(field as z.ZodType, undefined);
    return [{ path, fallback: parsed.success ? parsed.data : undefined }];
  });
}

function unwrapped(type: z.ZodType): z.ZodType {
  return type instanceof z.ZodPrefault || type instanceof z.ZodDefault || type instanceof z.ZodOptional
    ? unwrapped(type.unwrap() as z.ZodType)
    : type;
}
