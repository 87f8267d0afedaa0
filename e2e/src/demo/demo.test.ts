import { describe, expect, it } from "vitest";
import type { LoadSummary } from "../load/messages.ts";
import { Histogram } from "../load/histogram.ts";
import type { Verdict } from "../oracle/evidence.ts";
import { reportFor, reportText } from "./report.ts";
import { Screen } from "./screen.ts";
import { barFor, viewLine, viewLines, type RolloutView } from "./view.ts";

const view: RolloutView = {
  elapsedMs: 12_000,
  phase: "Moving connections",
  pods: [
    { name: "chat-b-1", isNew: true, state: "Ready", connections: 180 },
    { name: "chat-a-1", isNew: false, state: "Ready", connections: 200 },
    { name: "chat-a-2", isNew: false, state: "Ready", connections: 120 },
  ],
  clients: 500,
  moved: 180,
  perSecond: 50,
  resumed: 0,
  cut: 0,
  maxGapMs: 3.14,
  faults: 0,
  delivered: 9_000,
};

const verdict: Verdict = {
  ok: true,
  lost: 0,
  duplicated: 0,
  reordered: 0,
  forked: 0,
  channels: 50,
  subscriptions: 550,
  witnesses: 100,
  published: 1_000,
  acknowledged: 1_000,
  unanswered: 0,
  delivered: 12_000,
  expected: 12_000,
  availabilityPercent: 100,
  hashes: new Map(),
  weak: [],
  examples: [],
};

const summary: LoadSummary = {
  verdict,
  clients: 500,
  moves: 500,
  movedClients: 500,
  makeBeforeBreak: 500,
  resumes: 0,
  resets: 0,
  cut: 0,
  disconnects: 0,
  toldGaps: 0,
  p99GapMs: 4.26,
  maxGapMs: 9.99,
  gapsMs: [],
  p99HoldMs: 6.2,
  maxHoldMs: 12.04,
  holdsMs: [],
  deliveryP50Ms: 1,
  deliveryP99Ms: 5,
  deliveryMaxMs: 20,
  latency: new Histogram().data(),
  begunAtMs: [],
  committedAtMs: [],
  seconds: 30,
};

const facts = {
  provider: "local",
  kubernetes: "v1.37.2",
  from: "a",
  to: "b",
  seconds: 17.04,
  isComplete: true,
  summary,
};

describe("demo view", () => {
  it("shows both sides, moves, pace and gap in one line", () => {
    expect(viewLine(view)).toBe(
      "12 s | Moving connections | old 2 pods 320 connections | new 1 pods 180 connections | moved 180/500 at 50/s | gap 3.1 ms | 0 cut | 0 faults",
    );
  });

  it("lists the old pods before the new ones", () => {
    const lines = viewLines(view);
    expect(lines.findIndex((line) => line.includes("chat-a-2"))).toBeLessThan(
      lines.findIndex((line) => line.includes("chat-b-1")),
    );
    expect(barFor(180, 500, 10)).toBe("[###.......]");
    expect(barFor(0, 0, 4)).toBe("[....]");
  });

  it("redraws in place on a terminal and writes a line per two seconds elsewhere", () => {
    let now = 0;
    const lines: string[] = [];
    const plain = new Screen({ write: (text) => lines.push(text) }, () => now);
    for (now = 0; now < 5_000; now += 500) plain.show(view);
    expect(lines).toHaveLength(3);
    const drawn: string[] = [];
    const terminal = new Screen({ isTTY: true, columns: 60, write: (text) => drawn.push(text) }, () => now);
    terminal.show(view);
    terminal.show(view);
    const height = viewLines(view).length;
    expect(drawn[1]?.startsWith(`\u001b[${height}A`)).toBe(true);
    expect(Math.max(...(drawn[0] ?? "").split("\n").map((line) => line.length))).toBeLessThanOrEqual(
      59 + "\u001b[2K".length,
    );
  });
});

describe("demo report", () => {
  it("has exactly the promised keys", () => {
    const report = reportFor(facts);
    expect(Object.keys(report).join(" ")).toBe(
      "ok provider kubernetes clients published delivered lost duplicated reordered p99GapMs maxGapMs p99HoldMs maxHoldMs rollout",
    );
    expect(report.rollout).toEqual({ from: "a", to: "b", seconds: 17, moved: 500, resumed: 0, cut: 0 });
    expect(report).toMatchObject({ ok: true, p99GapMs: 4.3, maxGapMs: 10, p99HoldMs: 6.2, maxHoldMs: 12 });
    expect(reportText(report, summary)).toContain("nothing was lost");
  });

  it.each([
    ["a loss", { summary: { ...summary, verdict: { ...verdict, ok: false, lost: 1 } } }],
    ["a cut", { summary: { ...summary, cut: 1 } }],
    ["somebody who did not move", { summary: { ...summary, movedClients: 499 } }],
    ["a rollout that did not end", { isComplete: false }],
  ])("is not ok with %s", (_, change) => {
    const report = reportFor({ ...facts, ...change });
    expect(report.ok).toBe(false);
    expect(reportText(report, summary)).toContain("NOT as promised");
  });

  it("counts a fork as a duplicate and names examples", () => {
    const forked: Verdict = {
      ...verdict,
      ok: false,
      forked: 1,
      examples: [{ fault: "forked", client: "c1", channel: "room-1", offset: 7, what: "a here, b elsewhere" }],
    };
    const bad = { ...summary, verdict: forked };
    const report = reportFor({ ...facts, summary: bad });
    expect(report.duplicated).toBe(1);
    expect(reportText(report, bad)).toContain("forked: c1 room-1/7: a here, b elsewhere");
  });
});
