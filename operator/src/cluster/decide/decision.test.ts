import { NO_RECEIPTS } from "@wscluster/protocol";
import { describe, expect, it } from "vitest";
import type { ClusterFacts } from "../facts.ts";
import { intentFor, receiptsOf } from "./decision.ts";

const START_MS = 1_790_000_000_000;

/** Facts of a pod that reports these totals, as the shared store gives them to every pod. */
function factsWith(receipts: Readonly<Record<string, object>>): ClusterFacts {
  const state = { kind: "known", ageMs: 0, value: { receipts } };
  return { pods: [{ state }, { state }] } as unknown as ClusterFacts;
}

describe("receiptsOf", () => {
  it("does not count an attempt of the same name that began at another time", () => {
    const now = { attempt: "abc/1", startedAtMs: START_MS };
    const before = { attempt: "abc/1", startedAtMs: START_MS - 60_000 };
    const facts = factsWith({
      [intentFor("rollout", now)]: { ...NO_RECEIPTS, moved: 7 },
      [intentFor("rollback", now)]: { ...NO_RECEIPTS, moved: 1 },
      [intentFor("rollout", before)]: { ...NO_RECEIPTS, moved: 200 },
    });
    expect(receiptsOf(facts, now)).toMatchObject({ moved: 8 });
  });

  it("names an attempt the same before and after its start was written down to the second", () => {
    expect(intentFor("rollout", { attempt: "abc/1", startedAtMs: START_MS + 987 })).toBe(
      intentFor("rollout", { attempt: "abc/1", startedAtMs: START_MS }),
    );
  });
});
