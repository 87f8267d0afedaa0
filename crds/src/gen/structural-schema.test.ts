import { describe, expect, it } from "vitest";
import { z } from "zod";
import { structuralSchemaFor } from "./structural-schema.ts";

const described = (type: z.ZodType) => z.strictObject({ field: type.describe("A field.") });
const problemsOf = (type: z.ZodType) => structuralSchemaFor(described(type), "spec").problems;
const schemaOf = (type: z.ZodType) => {
  const { schema, problems } = structuralSchemaFor(described(type), "spec");
  expect(problems).toEqual([]);
  return schema.properties?.["field"];
};

describe("structuralSchemaFor", () => {
  it("gives integers the format that holds their bounds", () => {
    expect(schemaOf(z.int().min(0).max(9))).toEqual({
      type: "integer",
      format: "int32",
      minimum: 0,
      maximum: 9,
      description: "A field.",
    });
    expect(
      schemaOf(
        z
          .int()
          .min(0)
          .max(2 ** 31),
      ),
    ).toMatchObject({ format: "int64", maximum: 2 ** 31 });
  });

  it("leaves out the bound of an exact double, which only repeats the type", () => {
    const schema = schemaOf(z.int().min(0).max(Number.MAX_SAFE_INTEGER));
    expect(schema).toEqual({ type: "integer", format: "int64", minimum: 0, description: "A field." });
  });

  it("drops additionalProperties: false, which a structural schema must not have, and keeps CEL and list keys", () => {
    const rules = [{ rule: "self.a != ''", message: "must not be empty" }];
    const item = z.strictObject({ a: z.string().max(3).describe("A.") }).meta({ "x-kubernetes-validations": rules });
    const list = z
      .array(item)
      .max(2)
      .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a"] });
    expect(schemaOf(list)).toEqual({
      type: "array",
      description: "A field.",
      maxItems: 2,
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["a"],
      items: {
        type: "object",
        properties: { a: { type: "string", maxLength: 3, description: "A." } },
        required: ["a"],
        "x-kubernetes-validations": rules,
      },
    });
  });

  it("turns a record into a bounded map", () => {
    expect(schemaOf(z.record(z.string(), z.string().max(3)).meta({ maxProperties: 4 }))).toEqual({
      type: "object",
      description: "A field.",
      maxProperties: 4,
      additionalProperties: { type: "string", maxLength: 3 },
    });
  });

  it("gives a parent `{}` so that the defaults below it apply", () => {
    const inner = z.strictObject({ n: z.int().min(0).max(1).default(1).describe("N.") });
    expect(schemaOf(inner.optional())).toMatchObject({ default: {}, properties: { n: { default: 1 } } });
  });

  it("gives a parent with a required member no default, since `{}` would be refused", () => {
    const inner = z.strictObject({
      n: z.int().min(0).max(1).default(1).describe("N."),
      name: z.string().max(3).describe("Name."),
    });
    expect(schemaOf(inner.optional())).not.toHaveProperty("default");
  });

  it("writes patterns without the escaped slash", () => {
    expect(schemaOf(z.string().max(9).regex(/^\/a$/))).toMatchObject({ pattern: "^/a$" });
  });

  it.each([
    ["a string without maxLength", z.string(), "spec.field: needs maxLength"],
    ["an integer without a minimum", z.int().max(3), "spec.field: needs a minimum"],
    [
      "a list without maxItems",
      z.array(z.string().max(1)).meta({ "x-kubernetes-list-type": "set" }),
      "spec.field: needs maxItems",
    ],
    ["a list without a list type", z.array(z.string().max(1)).max(1), "spec.field: needs x-kubernetes-list-type"],
    ["a map without maxProperties", z.record(z.string(), z.string().max(1)), "spec.field: needs maxProperties"],
    [
      "a string in a list without maxLength",
      z.array(z.string()).max(1).meta({ "x-kubernetes-list-type": "set" }),
      "spec.field[]: needs maxLength",
    ],
    [
      "a fraction",
      z.number().min(0).max(1),
      "spec.field: fractions are not allowed in the API; use an integer with a unit",
    ],
    [
      "a format that the API server does not know",
      z.email().max(9),
      'spec.field: format "email" is not known to the API server',
    ],
  ])("reports %s", (_what, type, problem) => {
    expect(problemsOf(type)).toContain(problem);
  });

  it("reports a union, whose schema would not be structural", () => {
    expect(problemsOf(z.union([z.string().max(1), z.int().min(0).max(1)])).join("\n")).toContain(
      "`anyOf` is not structural",
    );
  });

  it("reports a field without a description", () => {
    const { problems } = structuralSchemaFor(z.strictObject({ a: z.boolean() }), "spec");
    expect(problems).toEqual(["spec.a: needs a description"]);
  });
});
