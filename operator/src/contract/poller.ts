// Asks the pods of each cluster for their state, again and again, and keeps the last answer with its age.
// Not here: what an answer means; when to ask faster is said by the last plan.
import { CONTRACT_PATHS, EDGE_PATHS, type EdgeState, type PodState } from "@wscluster/protocol";
import type { ArrivalFacts, Reading } from "../cluster/facts.ts";
import type { Clock, Timer } from "../runtime/index.ts";
import { nextArrivals, type ArrivalRecord } from "./arrivals.ts";
import { FairSlots } from "./fair-slots.ts";
import type { JsonSender } from "./http-json.ts";
import { parseEdgeState, parsePodState, type Parsed } from "./parse-state.ts";

export type PollTarget = {
  readonly uid: string;
  readonly key: string;
  readonly kind: "server" | "edge";
  readonly host: string;
  readonly port: number;
};

type Answer = { readonly reading: Parsed<PodState | EdgeState>; readonly atMs: number };
type Watched = {
  targets: readonly PollTarget[];
  intervalMs: number;
  timer: Timer | undefined;
  isPolling: boolean;
  again: boolean;
  /** Pods of which something may be kept. */
  readonly asked: Set<string>;
};

export type PollerOptions = {
  readonly clock: Clock;
  readonly send: JsonSender;
  /** A round of this cluster ended. */
  readonly onPolled: (cluster: string) => void;
  /** Default 1000. */
  readonly timeoutMs?: number;
  /** Requests at once, over all clusters; a single one has half of them at most. Default 64. */
  readonly concurrency?: number;
};

export class StatePoller {
  readonly #options: PollerOptions;
  readonly #clusters = new Map<string, Watched>();
  readonly #answers = new Map<string, Answer>();
  readonly #arrivals = new Map<string, ArrivalRecord>();
  readonly #stop = new AbortController();
  readonly #slots: FairSlots;

  constructor(options: PollerOptions) {
    this.#options = options;
    const total = options.concurrency ?? 64;
    this.#slots = new FairSlots({ total, perKey: Math.max(1, Math.floor(total / 2)) });
  }

  /** Whom to ask from now on and how often. The first round begins at once. */
  watch(cluster: string, targets: readonly PollTarget[], intervalMs: number): void {
    const watched = this.#clusters.get(cluster);
    if (watched === undefined) {
      const created: Watched = {
        targets,
        intervalMs,
        timer: undefined,
        isPolling: false,
        again: false,
        asked: new Set(),
      };
      this.#clusters.set(cluster, created);
      void this.#round(cluster, created);
      return;
    }
    const known = new Set(watched.targets.map((target) => target.uid));
    const hasNew = targets.some((target) => !known.has(target.uid));
    const isFaster = intervalMs < watched.intervalMs;
    watched.targets = targets;
    watched.intervalMs = intervalMs;
    if (hasNew || isFaster) this.nudge(cluster);
  }

  /** Asks now: something was just written. */
  nudge(cluster: string): void {
    const watched = this.#clusters.get(cluster);
    if (watched === undefined) return;
    if (watched.isPolling) {
      watched.again = true;
      return;
    }
    watched.timer?.cancel();
    void this.#round(cluster, watched);
  }

  forget(cluster: string): void {
    const watched = this.#clusters.get(cluster);
    if (watched === undefined) return;
    watched.timer?.cancel();
    this.#clusters.delete(cluster);
    this.#dropUnwatched(cluster, watched);
  }

  stop(): void {
    this.#stop.abort();
    for (const cluster of [...this.#clusters.keys()]) this.forget(cluster);
    this.#slots.drain();
  }

  podState(uid: string): Reading<PodState> {
    return this.#reading(uid, isPodState);
  }

  edgeState(uid: string): Reading<EdgeState> {
    return this.#reading(uid, isEdgeState);
  }

  arrivals(uid: string): ArrivalFacts | undefined {
    const record = this.#arrivals.get(uid);
    return record === undefined ? undefined : { steadyFromMs: record.fromMs, steadyToMs: record.toMs };
  }

  #reading<T extends PodState | EdgeState>(uid: string, is: (value: PodState | EdgeState) => value is T): Reading<T> {
    const answer = this.#answers.get(uid);
    if (answer === undefined) return { kind: "unknown", why: "it has not been asked yet" };
    if (!answer.reading.ok) return { kind: "unknown", why: answer.reading.why };
    const { value } = answer.reading;
    if (!is(value)) return { kind: "unknown", why: "its answer is of another kind" };
    return { kind: "known", value, ageMs: this.#options.clock.monotonicMs() - answer.atMs };
  }

  async #round(cluster: string, watched: Watched): Promise<void> {
    watched.isPolling = true;
    watched.again = false;
    const { targets } = watched;
    for (const { uid } of targets) watched.asked.add(uid);
    await Promise.all(targets.map((target) => this.#ask(cluster, target)));
    watched.isPolling = false;
    this.#dropUnwatched(cluster, watched);
    if (this.#stop.signal.aborted || this.#clusters.get(cluster) !== watched) return;
    const delayMs = watched.again ? 100 : watched.intervalMs;
    watched.timer = this.#options.clock.startTimer(delayMs, () => void this.#round(cluster, watched), true);
    this.#options.onPolled(cluster);
  }

  async #ask(cluster: string, target: PollTarget): Promise<void> {
    await this.#slots.take(cluster);
    const { clock, send, timeoutMs = 1_000 } = this.#options;
    const { uid, key, kind, host, port } = target;
    try {
      if (this.#stop.signal.aborted) return;
      const path = kind === "server" ? CONTRACT_PATHS.state : EDGE_PATHS.state;
      // Taken before the request: the answer is at least as new as this.
      const atMs = clock.monotonicMs();
      const wallMs = clock.nowMs();
      const answer = await send({ method: "GET", host, port, path, timeoutMs, signal: this.#stop.signal });
      if (answer.status !== 200) {
        this.#answers.set(uid, { reading: { ok: false, why: `it answers ${answer.status}` }, atMs });
        return;
      }
      const reading = kind === "server" ? parsePodState(answer.body, key) : parseEdgeState(answer.body, key);
      this.#answers.set(uid, { reading, atMs });
      if (reading.ok && isPodState(reading.value)) {
        this.#arrivals.set(uid, nextArrivals(this.#arrivals.get(uid), reading.value, wallMs));
      }
    } catch (error) {
      // One lost answer does not make a known state unknown: it ages, and too old is unknown.
      const before = this.#answers.get(uid);
      if (before?.reading.ok === true) return;
      const why = error instanceof Error ? error.message : String(error);
      this.#answers.set(uid, { reading: { ok: false, why }, atMs: clock.monotonicMs() });
    } finally {
      this.#slots.release(cluster);
    }
  }

  /** Of this cluster alone: there may be a thousand others. */
  #dropUnwatched(cluster: string, watched: Watched): void {
    const kept = new Set(this.#clusters.get(cluster)?.targets.map(({ uid }) => uid));
    for (const uid of watched.asked) {
      if (kept.has(uid)) continue;
      watched.asked.delete(uid);
      this.#answers.delete(uid);
      this.#arrivals.delete(uid);
    }
  }
}

function isPodState(value: PodState | EdgeState): value is PodState {
  return "contract" in value;
}

function isEdgeState(value: PodState | EdgeState): value is EdgeState {
  return "edge" in value;
}
