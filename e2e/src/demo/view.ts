// What is seen of a running rollout, as text. Pure: figures in, lines out. Where they go is screen.ts.
import { formatDuration } from "../terminal/duration.ts";
import { renderTable } from "../terminal/table.ts";

export type PodView = {
  readonly name: string;
  readonly isNew: boolean;
  readonly state: string;
  /** Clients of the load whose session it holds. */
  readonly connections: number;
};

export type RolloutView = {
  readonly elapsedMs: number;
  /** The operator's words for the step and for what it waits for. */
  readonly phase: string;
  readonly pods: readonly PodView[];
  readonly clients: number;
  readonly moved: number;
  /** Moves per second over the last seconds. */
  readonly perSecond: number;
  readonly resumed: number;
  readonly cut: number;
  /** Longest time that any client had no live socket. */
  readonly maxGapMs: number;
  readonly faults: number;
  readonly delivered: number;
};

const BAR = 30;

/** A bar of fixed width, for example `[#####.....]`. */
export function barFor(part: number, whole: number, width = BAR): string {
  const filled = whole <= 0 ? 0 : Math.min(width, Math.floor((part / whole) * width));
  return `[${"#".repeat(filled)}${".".repeat(width - filled)}]`;
}

function side(view: RolloutView, isNew: boolean): { readonly pods: number; readonly connections: number } {
  const pods = view.pods.filter((pod) => pod.isNew === isNew);
  return { pods: pods.length, connections: pods.reduce((sum, pod) => sum + pod.connections, 0) };
}

/** One line, for logs. */
export function viewLine(view: RolloutView): string {
  const [old, young] = [side(view, false), side(view, true)];
  return [
    `${formatDuration(view.elapsedMs)}`,
    view.phase || "waiting for the operator",
    `old ${old.pods} pods ${old.connections} connections`,
    `new ${young.pods} pods ${young.connections} connections`,
    `moved ${view.moved}/${view.clients} at ${view.perSecond}/s`,
    `gap ${view.maxGapMs.toFixed(1)} ms`,
    `${view.cut} cut`,
    `${view.faults} faults`,
  ].join(" | ");
}

/** Several lines, redrawn in place on a terminal. */
export function viewLines(view: RolloutView): readonly string[] {
  const rows = view.pods
    .toSorted((a, b) => Number(a.isNew) - Number(b.isNew) || (a.name < b.name ? -1 : 1))
    .map((pod) => [pod.isNew ? "new" : "old", pod.name, pod.state, String(pod.connections)]);
  const percent = view.clients === 0 ? 0 : Math.floor((100 * view.moved) / view.clients);
  return [
    `rollout: ${view.phase || "waiting for the operator"} (${formatDuration(view.elapsedMs)})`,
    ...renderTable(["SET", "POD", "STATE", "CONNECTIONS"], rows).split("\n"),
    `moved ${barFor(view.moved, view.clients)} ${view.moved}/${view.clients} (${percent} %) at ${view.perSecond}/s`,
    `longest gap ${view.maxGapMs.toFixed(1)} ms, ${view.resumed} resumed, ${view.cut} cut, ${view.delivered} delivered, ${view.faults} faults`,
  ];
}
