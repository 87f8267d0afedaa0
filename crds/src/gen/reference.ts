// The reference of the resource as Markdown: one row per field. Pure. Not here: the schema it reads (custom-resource.ts).

import { API_VERSION } from "../names.ts";
import { rollsOf } from "../v1alpha1/rolls.ts";
import type { ResourceKind } from "./custom-resource.ts";
import type { ApiSchema } from "./structural-schema.ts";

export type FieldRow = {
  readonly path: string;
  readonly type: string;
  readonly isRequired: boolean;
  readonly limits: string;
  readonly description: string;
};

/** Every field below `schema` in the order of the source, lists as `path[]`. */
export function fieldRowsFor(schema: ApiSchema, path = ""): readonly FieldRow[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, child]) => {
    const childPath = path === "" ? key : `${path}.${key}`;
    const row: FieldRow = {
      path: childPath,
      type: typeOf(child),
      isRequired: schema.required?.includes(key) ?? false,
      limits: limitsOf(child),
      description: child.description ?? "",
    };
    const below =
      child.type === "array" ? fieldRowsFor(child.items ?? {}, `${childPath}[]`) : fieldRowsFor(child, childPath);
    return [row, ...below];
  });
}

/** Spec fields that `rollsByField` does not know: a new field has to say how it reaches pods. */
export function fieldsWithoutRolls(spec: ApiSchema): readonly string[] {
  return fieldRowsFor(spec)
    .map((row) => row.path)
    .filter((path) => rollsOf(path.replaceAll("[]", "")) === undefined);
}

export function referenceFor(cluster: ResourceKind, rebalance: ResourceKind): string {
  return `# Resources (\`${API_VERSION}\`)

Generated from \`crds/src/v1alpha1\` by \`npm run gen\`. Category \`websocket\`.
\`kubectl explain wsc.spec --recursive\` prints the same on a cluster.

# ${cluster.kind}

Short name \`wsc\`, subresources \`status\` and \`scale\`.

*rolls* says how a change reaches running pods: **servers** = a new revision, that is a blue-green rollout of the server pods;
**edge** = a new revision of the edge pods; live = nothing restarts.

## Rules over several fields

${rulesText(cluster.schema)}

## spec

| field | type | rolls | limits | meaning |
|---|---|---|---|---|
${fieldRowsFor(cluster.schema.properties?.["spec"] ?? {})
  .map(specRow)
  .join("\n")}

## status

${statusText(cluster.schema)}

# ${rebalance.kind}

${rebalance.schema.description} Short name \`wsr\`. Those that have ended are kept for a while, at most ten of a cluster.

## Rules

${rulesText(rebalance.schema)}

## spec of a rebalance

| field | type | limits | meaning |
|---|---|---|---|
${fieldRowsFor(rebalance.schema.properties?.["spec"] ?? {})
  .map(
    (row) =>
      `| \`${row.path}\`${row.isRequired ? " (required)" : ""} | ${row.type} | ${row.limits} | ${row.description} |`,
  )
  .join("\n")}

## status of a rebalance

| field | type | meaning |
|---|---|---|
${statusRows(rebalance.schema)}
`;
}

function rulesText(schema: ApiSchema): string {
  return rulesOf(schema, "")
    .map((rule) => `- ${rule}`)
    .join("\n");
}

function statusText(schema: ApiSchema): string {
  return `A report: it can be wiped at any time and is rebuilt. Nothing reads it back to decide.

| field | type | meaning |
|---|---|---|
${statusRows(schema)}`;
}

function statusRows(schema: ApiSchema): string {
  return fieldRowsFor(schema.properties?.["status"] ?? {})
    .map((row) => `| \`${row.path}\` | ${row.type} | ${row.description} |`)
    .join("\n");
}

function specRow(row: FieldRow): string {
  const rolls = rollsOf(row.path.replaceAll("[]", "")) ?? "live";
  const shown = rolls === "live" ? "live" : `**${rolls}**`;
  const name = row.isRequired ? `\`${row.path}\` (required)` : `\`${row.path}\``;
  return `| ${name} | ${row.type} | ${shown} | ${row.limits} | ${row.description} |`;
}

function rulesOf(schema: ApiSchema, path: string): readonly string[] {
  const own = (schema["x-kubernetes-validations"] ?? []).map(
    (rule) => `${path === "" ? "" : `\`${path}\`: `}${rule.message}.`,
  );
  const below = Object.entries(schema.properties ?? {}).flatMap(([key, child]) =>
    rulesOf(child, path === "" ? key : `${path}.${key}`),
  );
  const items = schema.items === undefined ? [] : rulesOf(schema.items, `${path}[]`);
  return [...own, ...below, ...items];
}

function typeOf(schema: ApiSchema): string {
  if (schema.type === "array") return `list of ${typeOf(schema.items ?? {})}`;
  if (schema.additionalProperties !== undefined) return `map of ${typeOf(schema.additionalProperties)}`;
  if (schema.enum !== undefined) return "word";
  return schema.type ?? "any";
}

function limitsOf(schema: ApiSchema): string {
  const parts: string[] = [];
  if (schema.default !== undefined) parts.push(`default ${JSON.stringify(schema.default)}`);
  if (schema.enum !== undefined) parts.push(schema.enum.map(String).join(", "));
  if (schema.minimum !== undefined || schema.maximum !== undefined) {
    parts.push(`${schema.minimum ?? ""} to ${schema.maximum ?? ""}`.trim());
  }
  if (schema.maxLength !== undefined) parts.push(`at most ${schema.maxLength} characters`);
  if (schema.maxItems !== undefined) parts.push(`at most ${schema.maxItems} items`);
  if (schema.maxProperties !== undefined) parts.push(`at most ${schema.maxProperties} entries`);
  if (schema.pattern !== undefined) parts.push(`\`${schema.pattern.replaceAll("|", "\\|")}\``);
  return parts.join("; ");
}
