import { describe, expect, it } from "vitest";
import { partitionOf } from "@wscluster/protocol";
import { placeOf, placementNotes, placementOf } from "./placement.ts";

describe("a placement", () => {
  it("takes from claims only what it understands", () => {
    expect(placementOf({ key: "k", weight: 3 })).toEqual({ key: "k", weight: 3 });
    expect([0, -5, 1e9, 2.6].map((weight) => placementOf({ weight }))).toEqual(
      [1, 1, 10, 3].map((weight) => ({ weight })),
    );
    for (const claims of [{}, { key: "", weight: "9" }, { key: 7, weight: NaN }, { key: "x".repeat(257) }]) {
      expect(placementOf(claims)).toEqual({});
      expect(placementNotes(placementOf(claims))).toEqual({});
    }
  });

  it("survives as notes of the session", () => {
    const row = { user: "ann", tenant: "acme", ...placementNotes({ key: "board", weight: 4 }) };
    expect(placeOf(row)).toEqual({ key: "board", partition: partitionOf("board"), weight: 4 });
  });

  it("is the tenant's, and the user's own where nobody names a tenant", () => {
    expect(placeOf({ user: "ann", tenant: "acme" })).toEqual({
      key: "acme",
      partition: partitionOf("acme"),
      weight: 1,
    });
    expect(placeOf({ user: "ann", tenant: "default" }).key).toBe("ann");
  });

  it("is not taken in by a store with other content", () => {
    expect(placeOf({ user: "ann", tenant: "acme", notes: { "place.weight": "x" } }).weight).toBe(1);
    expect(placeOf({ user: "ann", tenant: "acme", notes: { "place.weight": "500" } }).weight).toBe(10);
  });
});
