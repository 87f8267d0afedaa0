// Scrapes the pods of all clusters, each at its own moment of the interval, a bounded number at once, and keeps what was
// learned by pod. Not here: what it means (snapshot.ts).
import type { Clock, Timer } from "../runtime/index.ts";
import { ExpositionParser, formatOf } from "./exposition.ts";
import type { ScrapeTarget, TextFetcher } from "./http-text.ts";
import { nextPodSignal, type PodSignal, type ScrapeOutcome } from "./pod-signal.ts";
import { readingOf, SCRAPED_METRICS } from "./reading.ts";

export type ScraperOptions = {
  readonly clock: Clock;
  readonly fetch: TextFetcher;
  /** Default 10,000. */
  readonly intervalMs?: number;
  /** Default 3,000. */
  readonly timeoutMs?: number;
  /** Scrapes at once. Default 64. */
  readonly concurrency?: number;
  /** Bytes of one answer. Default 4 MiB. */
  readonly maxBytes?: number;
};

export type ScraperCounts = { readonly scrapes: number; readonly failures: number; readonly skipped: number };

/** Moments of an interval. */
const SLOTS = 100;
/** Failures in a row before a pod is asked less often, and the rounds from one attempt to the next then, at most. */
const PATIENCE = 3;
const MOST_ROUNDS = 4;

export class Scraper {
  readonly #clock: Clock;
  readonly #fetch: TextFetcher;
  readonly #limits: {
    readonly intervalMs: number;
    readonly timeoutMs: number;
    readonly concurrency: number;
    readonly maxBytes: number;
  };
  readonly #clusters = new Map<string, readonly ScrapeTarget[]>();
  #slots: ScrapeTarget[][] = emptySlots();
  readonly #signals = new Map<string, PodSignal>();
  readonly #busy = new Set<string>();
  readonly #queue: ScrapeTarget[] = [];
  readonly #stop = new AbortController();
  #running = 0;
  #slot = 0;
  #round = 0;
  #dueMs: number;
  #timer: Timer | undefined;
  #counts = { scrapes: 0, failures: 0, skipped: 0 };

  constructor(options: ScraperOptions) {
    this.#clock = options.clock;
    this.#fetch = options.fetch;
    this.#dueMs = options.clock.monotonicMs();
    this.#limits = {
      intervalMs: options.intervalMs ?? 10_000,
      timeoutMs: options.timeoutMs ?? 3_000,
      concurrency: options.concurrency ?? 64,
      maxBytes: options.maxBytes ?? 4 * 1024 * 1024,
    };
  }

  /** Whom to scrape from now on. Pods that are gone are forgotten. */
  watch(cluster: string, targets: readonly ScrapeTarget[]): void {
    const before = this.#clusters.get(cluster);
    if (before !== undefined && sameTargets(before, targets)) return;
    this.#clusters.set(cluster, targets);
    this.#spread();
  }

  forget(cluster: string): void {
    if (!this.#clusters.delete(cluster)) return;
    this.#spread();
  }

  stop(): void {
    this.#stop.abort();
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#queue.length = 0;
  }

  /** By pod uid. A view that goes on changing: reduce it at once. */
  get signals(): ReadonlyMap<string, PodSignal> {
    return this.#signals;
  }

  get counts(): ScraperCounts {
    return { ...this.#counts };
  }

  // As Prometheus does: a pod's moment follows from its uid, so that 2,000 pods are never asked in one burst and each keeps
  // an even interval.
  #spread(): void {
    this.#slots = emptySlots();
    const known = new Set<string>();
    for (const targets of this.#clusters.values()) {
      for (const target of targets) {
        known.add(target.uid);
        this.#slots[slotOf(target.uid)]?.push(target);
      }
    }
    for (const uid of this.#signals.keys()) if (!known.has(uid)) this.#signals.delete(uid);
    if (known.size > 0) {
      if (this.#timer === undefined) this.#dueMs = this.#clock.monotonicMs();
      this.#arm();
    } else {
      this.#timer?.cancel();
      this.#timer = undefined;
    }
  }

  // Towards absolute moments: delays that add up would stretch the interval on a busy machine.
  #arm(): void {
    if (this.#timer !== undefined || this.#stop.signal.aborted) return;
    const stepMs = this.#limits.intervalMs / SLOTS;
    const nowMs = this.#clock.monotonicMs();
    this.#dueMs = Math.max(this.#dueMs + stepMs, nowMs - this.#limits.intervalMs);
    this.#timer = this.#clock.startTimer(
      Math.max(0, this.#dueMs - nowMs),
      () => {
        this.#timer = undefined;
        this.#arm();
        this.#slot = (this.#slot + 1) % SLOTS;
        if (this.#slot === 0) this.#round++;
        for (const target of this.#slots[this.#slot] ?? []) this.#enqueue(target);
      },
      true,
    );
  }

  #enqueue(target: ScrapeTarget): void {
    // A black hole holds its place for the whole time limit: many of them would delay everybody else.
    const failures = this.#signals.get(target.uid)?.failures ?? 0;
    const every = failures < PATIENCE ? 1 : Math.min(MOST_ROUNDS, 2 ** (failures - PATIENCE + 1));
    if (this.#busy.has(target.uid) || this.#round % every !== 0) {
      this.#counts.skipped++;
      return;
    }
    this.#busy.add(target.uid);
    this.#queue.push(target);
    this.#pump();
  }

  #pump(): void {
    while (this.#running < this.#limits.concurrency) {
      const target = this.#queue.shift();
      if (target === undefined) return;
      this.#running++;
      void this.#scrape(target).finally(() => {
        this.#running--;
        this.#busy.delete(target.uid);
        this.#pump();
      });
    }
  }

  async #scrape(target: ScrapeTarget): Promise<void> {
    // Taken before the request: the answer is at least as new as this.
    const atMs = this.#clock.monotonicMs();
    const outcome = await this.#ask(target);
    if (this.#stop.signal.aborted || !this.#isWatched(target)) return;
    this.#counts.scrapes++;
    if (!outcome.ok) this.#counts.failures++;
    this.#signals.set(target.uid, nextPodSignal(this.#signals.get(target.uid), outcome, atMs));
  }

  async #ask(target: ScrapeTarget): Promise<ScrapeOutcome> {
    const { timeoutMs, maxBytes } = this.#limits;
    let parser = new ExpositionParser({ wanted: SCRAPED_METRICS });
    const why = await this.#fetch({
      target,
      timeoutMs,
      maxBytes,
      signal: this.#stop.signal,
      // Also at a second attempt: nothing of the first may stay.
      onStart: (contentType) => {
        parser = new ExpositionParser({ wanted: SCRAPED_METRICS, format: formatOf(contentType) });
      },
      onText: (chunk) => parser.push(chunk),
    });
    if (why !== undefined) return { ok: false, why };
    const exposition = parser.end();
    if (!exposition.isComplete) {
      return { ok: false, why: `its metrics cannot be read: ${exposition.problems.at(-1)?.code ?? "incomplete"}` };
    }
    return { ok: true, reading: readingOf(exposition), problems: exposition.problemCount };
  }

  #isWatched(target: ScrapeTarget): boolean {
    return this.#slots[slotOf(target.uid)]?.some((one) => one.uid === target.uid) === true;
  }
}

function emptySlots(): ScrapeTarget[][] {
  return Array.from({ length: SLOTS }, () => []);
}

/** FNV-1a: even, and the same in every process. */
function slotOf(uid: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < uid.length; at++) hash = Math.imul(hash ^ uid.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % SLOTS;
}

function sameTargets(a: readonly ScrapeTarget[], b: readonly ScrapeTarget[]): boolean {
  return (
    a.length === b.length &&
    a.every((one, index) => {
      const other = b[index];
      return (
        other !== undefined &&
        one.uid === other.uid &&
        one.host === other.host &&
        one.port === other.port &&
        one.path === other.path
      );
    })
  );
}
