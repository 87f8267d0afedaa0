import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { permits } from "./permissions.ts";
import type { Permission, PermissionFacts } from "./permissions.ts";

const facts = (more: Partial<PermissionFacts> = {}): PermissionFacts => ({
  user: "ann",
  tenant: "acme",
  nowMs: 1_000,
  rules: undefined,
  grants: undefined,
  ...more,
});
const rule = (names: string[], more: Partial<Permission> = {}): Permission => ({
  names,
  actions: ["subscribe"],
  ...more,
});
const allows = (of: Permission, name: string, more: Partial<PermissionFacts> = {}) =>
  permits(facts({ rules: [of], ...more }), "subscribe", name);

describe("permits", () => {
  it("allows everything where nobody made a rule, and nothing that no rule allows", () => {
    expect(permits(facts(), "publish", "room")).toBe(true);
    expect(permits(facts({ rules: [] }), "publish", "room")).toBe(false);
    expect(permits(facts({ grants: [] }), "publish", "room")).toBe(false);
    expect(permits(facts({ rules: [rule(["room"])] }), "publish", "room")).toBe(false);
    expect(permits(facts({ rules: [], grants: [rule(["room"])] }), "subscribe", "room")).toBe(true);
  });

  it("matches stars, the user and the tenant, whatever these are called", () => {
    expect(allows(rule(["room:*"]), "room:7")).toBe(true);
    expect(allows(rule(["room:*:in"]), "room:7:in")).toBe(true);
    expect(allows(rule(["room:*:in"]), "room:in")).toBe(false);
    expect(allows(rule(["{tenant}/{user}/*"]), "acme/ann/x")).toBe(true);
    expect(allows(rule(["{user}"]), "bob")).toBe(false);
    expect(allows(rule(["to:{user}"]), "to:bob", { user: "*" })).toBe(false);
    expect(allows(rule(["to:{user}"]), "to:acme", { user: "{tenant}" })).toBe(false);
  });

  it("holds from its start to its end, and for its tenants", () => {
    const timed = rule(["*"], { startsAtMs: 1_000, endsAtMs: 2_000 });
    expect([999, 1_000, 1_999, 2_000].map((nowMs) => allows(timed, "x", { nowMs }))).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect(allows(rule(["*"], { tenants: ["other"] }), "x")).toBe(false);
  });

  it("matches as a regular expression of the same meaning does", () => {
    const piece = fc.stringMatching(/^[ab*]{0,6}$/);
    fc.assert(
      fc.property(piece, fc.stringMatching(/^[ab]{0,8}$/), (pattern, name) => {
        expect(allows(rule([pattern]), name)).toBe(new RegExp(`^${pattern.replaceAll("*", ".*")}$`).test(name));
      }),
    );
  });
});
