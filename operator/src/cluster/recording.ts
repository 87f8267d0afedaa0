// The flight recorder's text: what was decided in an attempt, when, and why, as lines for people. Pure.
// Not here: when and where it is written (recorder.ts).
import type { GrantReport } from "./cluster-metrics.ts";
import { timestampOf } from "./decide/children/replica-set.ts";
import type { ClusterFacts, Verdict } from "./facts.ts";
import type { Plan } from "./plan.ts";

export const RECORD_COMPONENT = "record";
export const RECORD_KEYS = { attempt: "attempt", startedAt: "startedAt", lines: "lines" } as const;

/** REVISION/N is no name of an object. */
export function recordName(cluster: string, attempt: string): string {
  return `${cluster}-record-${attempt.replace("/", "-")}`;
}

/** What the last pass showed, as far as a difference is worth a line. */
export type Seen = {
  readonly attempt: string;
  readonly phase: string;
  readonly waiting: string | undefined;
  readonly held: string | undefined;
  readonly gates: Readonly<Record<string, string>>;
};

export function seenOf(facts: ClusterFacts, plan: Plan): Seen | undefined {
  const { rollout, moves } = plan.status;
  if (rollout === undefined) return undefined;
  const { verdicts, at } = facts.gate ?? {};
  const gates = Object.entries(verdicts ?? {}).map(([name, verdict]) => [
    `${name} at ${at?.point ?? "-"}`,
    textOf(verdict),
  ]);
  return {
    attempt: rollout.attempt,
    phase: rollout.phase,
    waiting: rollout.waiting?.reason,
    held: moves?.held,
    gates: Object.fromEntries(gates),
  };
}

function textOf(verdict: Verdict | undefined): string {
  if (verdict === undefined) return "-";
  return verdict.kind === "pass" ? "pass" : `${verdict.kind}: ${verdict.why}`;
}

export function isOver(seen: Pick<Seen, "phase">): boolean {
  return seen.phase === "complete" || seen.phase === "aborted";
}

/** Lines about what is new. A process that begins in the middle says so; what was over before it began is not told again. */
export function linesFor(before: Seen | undefined, now: Seen, nowMs: number, plan: Plan): string[] {
  const isFirstLook = before?.attempt !== now.attempt;
  if (isFirstLook && isOver(now) && plan.events.length === 0) return [];
  const lines: string[] = [];
  const say = (text: string) => lines.push(`${timestampOf(nowMs)} ${text}`);
  if (isFirstLook) say(`recording attempt ${now.attempt} from step ${now.phase} on`);
  else if (before.phase !== now.phase) say(`step ${before.phase} -> ${now.phase}`);
  for (const [gate, verdict] of Object.entries(now.gates)) {
    if (before?.gates[gate] !== verdict) say(`gate ${gate}: ${verdict}`);
  }
  for (const { reason, message } of plan.events) say(`${reason}: ${message}`);
  if (now.held !== before?.held && (now.held !== undefined || before !== undefined)) {
    say(now.held === undefined ? "moves may go on" : `moves are stopped: ${now.held}`);
  }
  const { waiting } = plan.status.rollout ?? {};
  if (waiting !== undefined && waiting.reason !== before?.waiting) say(`waits, ${waiting.reason}: ${waiting.message}`);
  return lines;
}

/** Sums of the grants since the last line about them. */
export type Moved = { readonly grants: number; readonly connections: number; readonly lost: number };

export const NOTHING_MOVED: Moved = { grants: 0, connections: 0, lost: 0 };

export function plusGrants(moved: Moved, reports: readonly GrantReport[]): Moved {
  const sent = reports.filter(({ outcome }) => outcome !== "unpaid");
  return {
    grants: moved.grants + sent.length,
    connections: moved.connections + sent.reduce((sum, { grant }) => sum + grant.count, 0),
    lost: moved.lost + sent.filter(({ outcome }) => outcome !== "accepted").length,
  };
}

export function movedLine({ grants, connections, lost }: Moved, plan: Plan, nowMs: number): string | undefined {
  const { rollout } = plan.status;
  if (grants === 0 || rollout === undefined) return undefined;
  const { moved, resumed, cut, unknown, connectionsLeft, limitedBy } = rollout;
  const failed = lost === 0 ? "" : `, ${lost} of them without a yes`;
  const by = limitedBy === undefined ? "" : `; limited by ${limitedBy}`;
  return `${timestampOf(nowMs)} asked ${connections} in ${grants} grants${failed}; so far ${moved} moved, ${resumed} resumed, ${cut} closed, ${unknown} unknown; ${connectionsLeft} left${by}`;
}

/** An object in etcd may have 1 MiB; one record gets a sixteenth. The beginning and the end say the most. */
export const RECORD_BYTES = 60 * 1024;
const HEAD_BYTES = 12 * 1024;

export function boundedText(lines: readonly string[]): string {
  const size = (text: string) => Buffer.byteLength(text) + 1;
  const total = lines.reduce((sum, line) => sum + size(line), 0);
  if (total <= RECORD_BYTES) return lines.join("\n");
  const head: string[] = [];
  let left = HEAD_BYTES;
  for (const line of lines) {
    left -= size(line);
    if (left < 0 || LEFT_OUT.test(line)) break;
    head.push(line);
  }
  const tail: string[] = [];
  left = RECORD_BYTES - HEAD_BYTES - 100;
  for (const line of lines.slice(head.length).toReversed()) {
    left -= size(line);
    if (left < 0) break;
    tail.unshift(line);
  }
  // A record that was cut before keeps counting what is gone.
  const gone = lines.slice(head.length, lines.length - tail.length);
  const count = gone.reduce((sum, line) => sum + Number(LEFT_OUT.exec(line)?.[1] ?? 1), 0);
  return [...head, `... ${count} lines left out ...`, ...tail].join("\n");
}

const LEFT_OUT = /^\.\.\. (\d+) lines left out \.\.\.$/;
