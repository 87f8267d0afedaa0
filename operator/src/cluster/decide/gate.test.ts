import { describe, expect, it } from "vitest";
import type { GateFacts, Verdict } from "../facts.ts";
import { preflightAt, verdictAt } from "./gate.ts";

const PASS: Verdict = { kind: "pass" };
const no = (why: string): Verdict => ({ kind: "fail", why });
const open = (why: string): Verdict => ({ kind: "inconclusive", why });
const gate = (point: "preflight" | "verify" | "step 1", verdicts: GateFacts) => ({
  at: { attempt: "r/1", point, sinceMs: 0 },
  verdicts,
});

describe("what gates say together", () => {
  it("is a failure before what is open, and that before what passes", () => {
    const at = (verdicts: GateFacts) => verdictAt(gate("step 1", verdicts), "r/1", "step 1");
    expect(at({ synthetic: PASS, analysis: open("a"), webhooks: no("w") })).toEqual(no("w"));
    expect(at({ synthetic: PASS, analysis: open("a"), webhooks: PASS })).toEqual(open("a"));
    expect(at({ synthetic: PASS })).toEqual(PASS);
    expect(at({})).toEqual(PASS);
  });

  it("is for its attempt and point alone", () => {
    const of = gate("step 1", { analysis: no("a") });
    expect(verdictAt(of, "r/2", "step 1")).toEqual(PASS);
    expect(verdictAt(of, "r/1", "step 2")).toEqual(PASS);
  });

  it("holds a rollout before it begins, and says what would let it go", () => {
    const at = (verdicts: GateFacts) => preflightAt(gate("preflight", verdicts), "r/1", "preflight");
    expect(at({ preflight: no("no room"), webhooks: open("w") })).toMatchObject({
      reason: "PreflightFailed",
      message: "no room",
      unblock: expect.stringMatching(/rollout.preflight: Warn/),
    });
    expect(at({ preflight: PASS, webhooks: no("webhook smoke: it answers 403") })).toEqual({
      reason: "GateInconclusive",
      message: "the rollout has not begun: webhook smoke: it answers 403",
      unblock: "the webhook's answer 200, or its removal from `rollout.webhooks`",
    });
    expect(at({ preflight: PASS, webhooks: PASS })).toBeUndefined();
    // What webhooks say of pods that are there is a verdict on the candidate.
    const later = gate("verify", { preflight: PASS, webhooks: no("w") });
    expect(preflightAt(later, "r/1", "verify")).toBeUndefined();
    expect(verdictAt(later, "r/1", "verify")).toEqual(no("w"));
  });
});
