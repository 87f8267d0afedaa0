// Turns a zod schema into the structural OpenAPI schema that a CustomResourceDefinition takes, and says what is missing in it.
// Pure. Not here: the CustomResourceDefinition around it (custom-resource.ts), the rules themselves (v1alpha1/).

import { z } from "zod";

export type ApiSchema = {
  readonly type?: string;
  readonly description?: string;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly items?: ApiSchema;
  readonly properties?: Readonly<Record<string, ApiSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: ApiSchema;
  readonly "x-kubernetes-list-type"?: string;
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-validations"?: readonly { readonly rule: string; readonly message: string }[];
};

export type StructuralResult = {
  readonly schema: ApiSchema;
  /** What the API server would refuse or what our rules ask for and is missing, each with its path. Empty = good. */
  readonly problems: readonly string[];
};

type JsonNode = { readonly [key: string]: unknown };

/** Formats that the API server checks; it ignores every other one without a word. */
const KNOWN_FORMATS = new Set(["byte", "date", "date-time", "duration", "int32", "int64"]);
/** With these a schema is not structural, or the API server drops them. */
const FORBIDDEN = ["oneOf", "anyOf", "allOf", "not", "$ref", "const", "patternProperties"];
const INT32 = { min: -(2 ** 31), max: 2 ** 31 - 1 };

/** Structural schema of `source`; `name` begins the paths in `problems`. */
export function structuralSchemaFor(source: z.ZodType, name: string): StructuralResult {
  const problems: string[] = [];
  const json = z.toJSONSchema(source, { target: "openapi-3.0", io: "input", reused: "inline" });
  const schema = convert(json, name, problems);
  return { schema, problems };
}

function convert(node: JsonNode, path: string, problems: string[]): ApiSchema {
  for (const key of FORBIDDEN) {
    if (key in node)
      problems.push(`${path}: \`${key}\` is not structural; use a mode with optional members and a CEL rule`);
  }
  const kept: Record<string, unknown> = {};
  for (const key of ["description", "enum", "default", "minLength", "maxLength", "minItems", "maxItems"]) {
    if (node[key] !== undefined) kept[key] = node[key];
  }
  for (const [key, value] of Object.entries(node)) if (key.startsWith("x-kubernetes-")) kept[key] = value;
  const type = node["type"];
  if (typeof type !== "string") problems.push(`${path}: has no type`);
  kept["type"] = type;
  if (type === "string") convertString(node, kept, path, problems);
  if (type === "integer") convertInteger(node, kept, path, problems);
  if (type === "number") problems.push(`${path}: fractions are not allowed in the API; use an integer with a unit`);
  if (type === "array") convertArray(node, kept, path, problems);
  if (type === "object") convertObject(node, kept, path, problems);
  return kept;
}

function convertString(node: JsonNode, kept: Record<string, unknown>, path: string, problems: string[]): void {
  // JavaScript escapes the slash, RE2 does not need it; without the escape people can read the pattern in an error message.
  if (typeof node["pattern"] === "string") kept["pattern"] = node["pattern"].replaceAll("\\/", "/");
  const format = node["format"];
  if (format !== undefined) {
    if (typeof format === "string" && KNOWN_FORMATS.has(format)) kept["format"] = format;
    else problems.push(`${path}: format ${JSON.stringify(format)} is not known to the API server`);
  }
  if (node["maxLength"] === undefined && node["enum"] === undefined) problems.push(`${path}: needs maxLength`);
}

function convertInteger(node: JsonNode, kept: Record<string, unknown>, path: string, problems: string[]): void {
  const { minimum, maximum } = node;
  // z.int() adds the bounds of an exact double; they say nothing, and a bound that was left out looks the same.
  if (typeof minimum === "number" && minimum > Number.MIN_SAFE_INTEGER) kept["minimum"] = minimum;
  else problems.push(`${path}: needs a minimum`);
  if (typeof maximum !== "number") problems.push(`${path}: needs a maximum`);
  else if (maximum < Number.MAX_SAFE_INTEGER) kept["maximum"] = maximum;
  const fits =
    typeof minimum === "number" && typeof maximum === "number" && minimum >= INT32.min && maximum <= INT32.max;
  kept["format"] = fits ? "int32" : "int64";
}

function convertArray(node: JsonNode, kept: Record<string, unknown>, path: string, problems: string[]): void {
  if (node["maxItems"] === undefined) problems.push(`${path}: needs maxItems`);
  if (node["x-kubernetes-list-type"] === undefined) problems.push(`${path}: needs x-kubernetes-list-type`);
  kept["items"] = convert(asNode(node["items"]), `${path}[]`, problems);
}

function convertObject(node: JsonNode, kept: Record<string, unknown>, path: string, problems: string[]): void {
  const values = node["additionalProperties"];
  if (typeof values === "object" && values !== null) {
    if (node["maxProperties"] === undefined) problems.push(`${path}: needs maxProperties`);
    else kept["maxProperties"] = node["maxProperties"];
    kept["additionalProperties"] = convert(asNode(values), `${path}{}`, problems);
    return;
  }
  const properties: Record<string, ApiSchema> = {};
  for (const [key, child] of Object.entries(asNode(node["properties"]))) {
    const childPath = `${path}.${key}`;
    const converted = convert(asNode(child), childPath, problems);
    if (converted.description === undefined) problems.push(`${childPath}: needs a description`);
    properties[key] = withParentDefault(converted);
  }
  kept["properties"] = properties;
  const required = (Array.isArray(node["required"]) ? node["required"] : []).filter(
    (key: string) => properties[key]?.default === undefined,
  );
  if (required.length > 0) kept["required"] = required;
}

/** A default below an absent parent never applies, so the parent gets `{}`, unless a required member would then be missing. */
function withParentDefault(schema: ApiSchema): ApiSchema {
  if (schema.properties === undefined || schema.default !== undefined || schema.required !== undefined) return schema;
  const hasDefaults = Object.values(schema.properties).some((child) => child.default !== undefined);
  return hasDefaults ? { ...schema, default: {} } : schema;
}

function asNode(value: unknown): JsonNode {
  return typeof value === "object" && value !== null ? (value as JsonNode) : {};
}
