// What a demo run has shown, as JSON for programs and as text for people. Pure.
import type { LoadSummary } from "../load/messages.ts";
import { FAULTS } from "../oracle/evidence.ts";

export type DemoReport = {
  readonly ok: boolean;
  /** How the cluster was made: `kind` or `local`. */
  readonly provider: string;
  readonly kubernetes: string;
  readonly clients: number;
  readonly published: number;
  readonly delivered: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly p99GapMs: number;
  readonly maxGapMs: number;
  readonly p99HoldMs: number;
  readonly maxHoldMs: number;
  readonly rollout: {
    readonly from: string;
    readonly to: string;
    readonly seconds: number;
    readonly moved: number;
    readonly resumed: number;
    readonly cut: number;
  };
};

export type ReportFacts = {
  readonly provider: string;
  readonly kubernetes: string;
  readonly from: string;
  readonly to: string;
  readonly seconds: number;
  /** The operator called the rollout complete. */
  readonly isComplete: boolean;
  readonly summary: LoadSummary;
};

const tenth = (value: number): number => Math.round(value * 10) / 10;

export function reportFor(facts: ReportFacts): DemoReport {
  const { summary } = facts;
  const { verdict } = summary;
  const hasEverybodyMoved = summary.movedClients >= summary.clients;
  return {
    ok: verdict.ok && facts.isComplete && hasEverybodyMoved && summary.cut === 0,
    provider: facts.provider,
    kubernetes: facts.kubernetes,
    clients: summary.clients,
    published: verdict.published,
    delivered: verdict.delivered,
    lost: verdict.lost,
    // A fork gives somebody a message that others do not have: told as a duplicate of an offset.
    duplicated: verdict.duplicated + verdict.forked,
    reordered: verdict.reordered,
    p99GapMs: tenth(summary.p99GapMs),
    maxGapMs: tenth(summary.maxGapMs),
    p99HoldMs: tenth(summary.p99HoldMs),
    maxHoldMs: tenth(summary.maxHoldMs),
    rollout: {
      from: facts.from,
      to: facts.to,
      seconds: tenth(facts.seconds),
      moved: summary.moves,
      resumed: summary.resumes,
      cut: summary.cut,
    },
  };
}

/** The loss report. */
export function reportText(report: DemoReport, summary: LoadSummary): string {
  const { verdict } = summary;
  const rows = [
    ["published", `${verdict.published} by ${report.clients} clients in ${verdict.channels} rooms`],
    ["acknowledged within 1 s", `${verdict.availabilityPercent.toFixed(2)} %`],
    ["delivered", `${verdict.delivered} of ${verdict.expected}`],
    ...FAULTS.map((fault) => [fault, String(verdict[fault])]),
    [
      "moved",
      `${summary.moves}, of them with the new socket ready before the old one closed: ${summary.makeBeforeBreak}`,
    ],
    ["resumed after a break", String(summary.resumes)],
    ["cut", String(summary.cut)],
    ["disconnects seen by an app", String(summary.disconnects)],
    ["time without a live socket", `p99 ${report.p99GapMs} ms, longest ${report.maxGapMs} ms`],
    ["writes held during a move", `p99 ${report.p99HoldMs} ms, longest ${report.maxHoldMs} ms`],
    ["delivery time", `p50 ${summary.deliveryP50Ms.toFixed(1)} ms, p99 ${summary.deliveryP99Ms.toFixed(1)} ms`],
    ["readers that never moved", `${verdict.witnesses}, with the same hash of every stream`],
    ["image change to last move", `${report.rollout.seconds} s`],
  ];
  const complaints = [
    ...verdict.examples
      .slice(0, 10)
      .map((one) => `${one.fault}: ${one.client} ${one.channel}/${one.offset}: ${one.what}`),
    ...verdict.weak,
  ];
  const title = report.ok ? "Loss report: nothing was lost" : "Loss report: NOT as promised";
  return [title, "", ...rows.map(([name = "", value = ""]) => `  ${name.padEnd(32)}${value}`), ...complaints].join(
    "\n",
  );
}
