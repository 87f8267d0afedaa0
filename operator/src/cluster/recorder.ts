// Writes the flight recorder: one ConfigMap for each attempt, at most every few seconds, never without news, few of them.
// Not here: the text (recording.ts).
import { LABELS } from "@wscluster/crds";
import { type ConfigMap, type KubeApi, resources } from "../kube/index.ts";
import type { GrantReport } from "./cluster-metrics.ts";
import { metadataFor } from "./decide/children/labels.ts";
import type { ClusterFacts } from "./facts.ts";
import type { Plan } from "./plan.ts";
import {
  boundedText,
  linesFor,
  movedLine,
  NOTHING_MOVED,
  plusGrants,
  RECORD_COMPONENT,
  RECORD_KEYS,
  recordName,
  type Seen,
  seenOf,
} from "./recording.ts";

export const RECORD_EVERY_MS = 5_000;
const DEFAULT_RECORDS = 5;

export type RecorderParts = {
  readonly api: Pick<KubeApi, "apply" | "delete">;
  /** Records of the cluster as the cache has them. */
  readonly stored: (name: string) => readonly ConfigMap[];
  readonly monotonicMs: () => number;
};

/** Of one cluster, in one term of leadership. */
export class Recorder {
  readonly #parts: RecorderParts;
  #seen: Seen | undefined;
  #moved = NOTHING_MOVED;
  #pending: string[] = [];
  /** All lines of the attempt; what the store had when it began is in front. */
  #lines: string[] = [];
  #writtenMs: number | undefined;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
  }

  /** After a pass whose actions were done. */
  note(facts: ClusterFacts, plan: Plan, grants: readonly GrantReport[]): void {
    const now = seenOf(facts, plan);
    if (now === undefined) return;
    if (this.#seen?.attempt !== now.attempt) {
      // What the former attempt did not get out in time is worth less than the new one.
      this.#pending = [];
      this.#moved = NOTHING_MOVED;
      this.#lines = this.#linesOf(facts, now.attempt);
    }
    this.#pending.push(...linesFor(this.#seen, now, facts.nowMs, plan));
    this.#moved = plusGrants(this.#moved, grants);
    this.#seen = now;
  }

  /** Writes what is new, if it is time. Returns in how many ms it is. @throws KubeError */
  async flush(facts: ClusterFacts, plan: Plan, signal: AbortSignal): Promise<number | undefined> {
    const { monotonicMs } = this.#parts;
    const { rollout } = plan.status;
    if (rollout === undefined || (this.#pending.length === 0 && this.#moved.grants === 0)) return undefined;
    const dueMs = this.#writtenMs === undefined ? 0 : this.#writtenMs + RECORD_EVERY_MS - monotonicMs();
    if (dueMs > 0) return dueMs;
    const summary = movedLine(this.#moved, plan, facts.nowMs);
    const lines = [...this.#lines, ...this.#pending, ...(summary === undefined ? [] : [summary])];
    const text = boundedText(lines);
    const name = recordName(facts.cluster.name, rollout.attempt);
    const base = metadataFor(facts.cluster, name);
    await this.#parts.api.apply(
      resources.configMaps,
      {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { ...base, labels: { ...base.labels, [LABELS.component]: RECORD_COMPONENT } },
        data: {
          [RECORD_KEYS.attempt]: rollout.attempt,
          [RECORD_KEYS.startedAt]: rollout.startedAt,
          [RECORD_KEYS.lines]: text,
        },
      },
      { signal },
    );
    this.#writtenMs = monotonicMs();
    this.#lines = text.split("\n");
    this.#pending = [];
    this.#moved = NOTHING_MOVED;
    await this.#prune(facts, name, signal);
    return undefined;
  }

  #linesOf(facts: ClusterFacts, attempt: string): string[] {
    const name = recordName(facts.cluster.name, attempt);
    const stored = this.#records(facts).find((map) => map.metadata.name === name);
    return (stored?.data?.[RECORD_KEYS.lines] ?? "").split("\n").filter((line) => line !== "");
  }

  #records({ cluster }: ClusterFacts): readonly ConfigMap[] {
    return this.#parts
      .stored(cluster.name)
      .filter((map) => map.metadata.labels?.[LABELS.component] === RECORD_COMPONENT);
  }

  async #prune(facts: ClusterFacts, newest: string, signal: AbortSignal): Promise<void> {
    const limit = facts.spec.rollout?.revisionHistoryLimit ?? DEFAULT_RECORDS;
    const old = this.#records(facts)
      .filter((map) => map.metadata.name !== newest)
      .toSorted((a, b) => ((a.data?.[RECORD_KEYS.startedAt] ?? "") < (b.data?.[RECORD_KEYS.startedAt] ?? "") ? 1 : -1))
      .slice(limit - 1);
    for (const { metadata } of old) {
      const { name, namespace, uid } = metadata;
      await this.#parts.api.delete(resources.configMaps, { name, namespace }, { uid, signal });
    }
  }
}
