// Reads the counters of both sets while a step is judged, a few pods at once, and keeps the first and the last of each. One
// interval per attempt and point. Not here: what they mean (judge.ts).
import { CONTRACT_PATHS, type Receipts } from "@wscluster/protocol";
import { type ClusterFacts, freshValue, type GateAt, type ServerPodFacts, type Verdict } from "../cluster/facts.ts";
import type { UnjudgedFacts } from "../cluster/observe.ts";
import type { Clock, Timer } from "../runtime/index.ts";
import { ExpositionParser, formatOf, type TextFetcher } from "../signals/index.ts";
import { judge, type MoveCounts, type SetMeasure } from "./judge.ts";
import { countersOf, JUDGED_METRICS, type PodCounters, type PodMeasure, setMeasureFor } from "./measure.ts";

const INTERVAL_MS = 5_000;
/** Three readings that did not come: the last one is too old to judge by. */
const STALE_MS = 3 * INTERVAL_MS;
const TIMEOUT_MS = 3_000;
const MOST_BYTES = 4 * 1024 * 1024;

export type AnalysisOptions = {
  readonly clock: Clock;
  readonly fetch: TextFetcher;
  /** A reading of this cluster's pods ended. */
  readonly onRead: (cluster: string) => void;
  readonly adminPortOf: (facts: UnjudgedFacts, pod: ServerPodFacts) => number;
  /** Receipts of an attempt so far; undefined when no pod tells them. */
  readonly receiptsOf: (facts: UnjudgedFacts, attempt: string) => Receipts | undefined;
};

type Watched = {
  readonly uid: string;
  readonly name: string;
  readonly host: string;
  readonly port: number;
};

type Read = { readonly first: PodCounters; readonly last: PodCounters; readonly atMs: number };

type Interval = {
  readonly of: string;
  readonly startedMs: number;
  receipts: Receipts | undefined;
  readonly reads: Map<string, Read>;
  readonly troubles: Map<string, string>;
  /** Highest pressure of each set at each look. */
  readonly pressures: { candidate: number[]; old: number[] };
  targets: readonly Watched[];
  timer: Timer | undefined;
};

export class AnalysisDesk {
  readonly #options: AnalysisOptions;
  readonly #intervals = new Map<string, Interval>();
  readonly #stop = new AbortController();

  constructor(options: AnalysisOptions) {
    this.#options = options;
  }

  /** What the numbers say by now; the first call at a point begins its interval. */
  verdictAt(cluster: string, at: GateAt, facts: UnjudgedFacts): Verdict | undefined {
    const spec = facts.spec.rollout?.analysis;
    if (spec === undefined || (at.point !== "move" && !at.point.startsWith("step "))) {
      this.forget(cluster);
      return undefined;
    }
    const interval = this.#intervalFor(cluster, at, facts);
    const { clock, receiptsOf } = this.#options;
    const [candidates, old] = setsOf(facts);
    interval.targets = [...candidates, ...old].flatMap((pod) => this.#targetOf(facts, pod));
    notePressure(interval.pressures.candidate, candidates);
    notePressure(interval.pressures.old, old);
    const nowMs = clock.monotonicMs();
    const receipts = receiptsOf(facts, at.attempt);
    const measure = (pods: readonly ServerPodFacts[], pressures: readonly number[]): SetMeasure =>
      setMeasureFor(
        pods.map((pod) => podMeasure(interval, pod, nowMs)),
        pressures.length === 0 ? undefined : pressures.reduce((sum, one) => sum + one, 0) / pressures.length,
      );
    return judge({
      spec,
      spanMs: nowMs - interval.startedMs,
      candidate: measure(candidates, interval.pressures.candidate),
      old: measure(old, interval.pressures.old),
      moves: movesBetween((interval.receipts ??= receipts), receipts),
    });
  }

  forget(cluster: string): void {
    this.#intervals.get(cluster)?.timer?.cancel();
    this.#intervals.delete(cluster);
  }

  stop(): void {
    this.#stop.abort();
    for (const cluster of [...this.#intervals.keys()]) this.forget(cluster);
  }

  #intervalFor(cluster: string, at: GateAt, facts: UnjudgedFacts): Interval {
    const of = `${at.attempt} ${at.point}`;
    const present = this.#intervals.get(cluster);
    if (present?.of === of) return present;
    this.forget(cluster);
    const created: Interval = {
      of,
      startedMs: this.#options.clock.monotonicMs(),
      receipts: this.#options.receiptsOf(facts, at.attempt),
      reads: new Map(),
      troubles: new Map(),
      pressures: { candidate: [], old: [] },
      targets: [],
      timer: undefined,
    };
    this.#intervals.set(cluster, created);
    this.#arm(cluster, created, 0);
    return created;
  }

  #targetOf(facts: UnjudgedFacts, pod: ServerPodFacts): Watched[] {
    const { uid, name, ip } = pod;
    if (ip === undefined || !pod.running) return [];
    return [{ uid, name, host: ip, port: this.#options.adminPortOf(facts, pod) }];
  }

  #arm(cluster: string, interval: Interval, afterMs: number): void {
    interval.timer = this.#options.clock.startTimer(afterMs, () => void this.#read(cluster, interval), true);
  }

  async #read(cluster: string, interval: Interval): Promise<void> {
    // The fetcher holds one connection per pod, and a fleet's pods are asked one after another in eight rows.
    const queue = [...interval.targets];
    const row = async (): Promise<void> => {
      for (let target = queue.shift(); target !== undefined; target = queue.shift())
        await this.#readPod(interval, target);
    };
    await Promise.all(Array.from({ length: 8 }, row));
    if (this.#stop.signal.aborted || this.#intervals.get(cluster) !== interval) return;
    this.#arm(cluster, interval, INTERVAL_MS);
    this.#options.onRead(cluster);
  }

  async #readPod(interval: Interval, target: Watched): Promise<void> {
    const { clock, fetch } = this.#options;
    const atMs = clock.monotonicMs();
    let parser = new ExpositionParser({ wanted: JUDGED_METRICS });
    const why = await fetch({
      target: { ...target, path: CONTRACT_PATHS.metrics },
      timeoutMs: TIMEOUT_MS,
      maxBytes: MOST_BYTES,
      signal: this.#stop.signal,
      onStart: (contentType) => {
        parser = new ExpositionParser({ wanted: JUDGED_METRICS, format: formatOf(contentType) });
      },
      onText: (chunk) => parser.push(chunk),
    });
    const exposition = parser.end();
    if (why !== undefined || !exposition.isComplete) {
      interval.troubles.set(target.uid, why ?? "its metrics cannot be read");
      return;
    }
    const counters = countersOf(exposition);
    const before = interval.reads.get(target.uid);
    interval.reads.set(target.uid, { first: before?.first ?? counters, last: counters, atMs });
    interval.troubles.delete(target.uid);
  }
}

/** Pods of the wanted revision, and those that it takes over from. */
function setsOf(facts: Pick<ClusterFacts, "pods" | "wanted">): [ServerPodFacts[], ServerPodFacts[]] {
  const living = facts.pods.filter((pod) => !pod.deleting && pod.set === "attached");
  const isCandidate = (pod: ServerPodFacts): boolean => pod.revision === facts.wanted.servers;
  // A pod of the candidate that does not run is one of which nothing is known; one of the old set is none to compare with.
  return [living.filter(isCandidate), living.filter((pod) => !isCandidate(pod) && pod.running)];
}

function notePressure(into: number[], pods: readonly ServerPodFacts[]): void {
  const known = pods.flatMap((pod) => freshValue(pod.state)?.pressure ?? []);
  // The mean over the interval, of enough looks for it and no more.
  if (known.length > 0 && into.push(Math.max(...known)) > 1_000) into.shift();
}

function podMeasure(interval: Interval, { uid, name }: ServerPodFacts, nowMs: number): PodMeasure {
  const read = interval.reads.get(uid);
  const isStale = read !== undefined && nowMs - read.atMs > STALE_MS;
  const trouble = isStale || read === undefined ? interval.troubles.get(uid) : undefined;
  return {
    name,
    first: read?.first,
    last: read?.last,
    trouble: trouble ?? (isStale ? "its last answer is too old" : undefined),
  };
}

function movesBetween(before: Receipts | undefined, now: Receipts | undefined): MoveCounts | undefined {
  if (before === undefined || now === undefined) return undefined;
  const by = (outcome: keyof Receipts): number => Math.max(0, now[outcome] - before[outcome]);
  // Whoever cannot move is cut by intention; whose fate is not known was not moved.
  return { asked: Math.max(0, by("offered") - by("cut")), failed: by("refused") + by("late") + by("unknown") };
}
