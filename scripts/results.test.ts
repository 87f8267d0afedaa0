import { describe, expect, it } from "vitest";
import { closingLine, countsOf, reportFor, scenarioResults, vitestResults } from "./results.ts";

const file = (name: string, status: string, tests: readonly { fullName: string; status: string }[], message = "") => ({
  name,
  status,
  message,
  assertionResults: tests,
});

describe("vitestResults", () => {
  it("counts each test once, with the reason of a skipped one from its name", () => {
    const tests = [
      { fullName: "a", status: "passed" },
      { fullName: "real server (skipped: etcd is missing) b", status: "skipped" },
      { fullName: "c", status: "failed", failureMessages: ["expected 1"] },
    ];
    const results = vitestResults({ success: false, testResults: [file("x.test.ts", "failed", tests)] }, "unit", 1);
    expect(countsOf(results)).toEqual({ passed: 1, failed: 1, skipped: 1 });
    expect(results.map((result) => result.reason)).toEqual([undefined, "etcd is missing", "expected 1"]);
  });

  it("counts a file that does not load, which has no test to fail", () => {
    const broken = file("x.test.ts", "failed", [], "SyntaxError");
    const results = vitestResults(
      { success: false, testResults: [broken, file("y.test.ts", "passed", [{ fullName: "a", status: "passed" }])] },
      "unit",
      1,
    );
    expect(countsOf(results)).toEqual({ passed: 1, failed: 1, skipped: 0 });
    expect(results[0]).toMatchObject({ name: "x.test.ts", reason: "SyntaxError" });
  });

  it("counts an unhandled error, which only the exit code tells", () => {
    const fine = file("x.test.ts", "passed", [{ fullName: "a", status: "passed" }]);
    expect(countsOf(vitestResults({ success: false, testResults: [fine] }, "unit", 1)).failed).toBe(1);
    expect(countsOf(vitestResults({ success: true, testResults: [fine] }, "unit", 0)).failed).toBe(0);
  });

  it("takes a run without tests as failed", () => {
    expect(countsOf(vitestResults({ success: true, testResults: [] }, "unit", 0)).failed).toBe(1);
  });
});

describe("scenarioResults", () => {
  it("keeps status and reason, and adds a failure when the run ended badly without one", () => {
    const scenarios = [
      { name: "first connect", status: "passed", seconds: 3 },
      { name: "bad image", status: "skipped", reason: "not root" },
    ] as const;
    expect(countsOf(scenarioResults({ scenarios }, 0))).toEqual({ passed: 1, failed: 0, skipped: 1 });
    expect(countsOf(scenarioResults({ scenarios }, 137)).failed).toBe(1);
  });
});

describe("the closing", () => {
  it("names skipped tests only when there are any", () => {
    expect(closingLine({ passed: 3, failed: 0, skipped: 0 })).toBe("3 passed, 0 failed");
    expect(closingLine({ passed: 3, failed: 1, skipped: 2 })).toBe("3 passed, 1 failed, 2 skipped");
  });

  it("shows a table, one line per reason for skipping, and each failure", () => {
    const results = [
      {
        suite: "checks",
        name: "lint",
        status: "failed",
        reason: "x.ts:1 bad\nmore\n    at run (/somewhere/node_modules/vitest/run.js:1:1)",
      },
      { suite: "e2e", name: "a", status: "skipped", reason: "not root" },
      { suite: "e2e", name: "b", status: "skipped", reason: "not root" },
    ] as const;
    expect(reportFor(results, new Map([["checks", 2.4]]))).toBe(
      [
        "suite   passed  failed  skipped  time",
        "checks       0       1        0   2 s",
        "e2e          0       0        2   0 s",
        "",
        "Skipped:",
        "  2 x not root",
        "",
        "Failed:",
        "  checks: lint",
        "    x.ts:1 bad",
        "    more",
      ].join("\n"),
    );
  });
});
