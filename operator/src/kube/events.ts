// Writes events for people. Repeats are counted on one object, floods are cut, and nothing that goes wrong here ever reaches
// the caller: events are not state.
//
// Written through core/v1, not events.k8s.io/v1: `kubectl describe` sorts by lastTimestamp, which only the older door may set,
// so that the newer one tells a rollout's story in random order. Both are doors to the same objects.
import { createHash } from "node:crypto";
import { sleep, type Clock } from "../runtime/clock.ts";
import { fullBucket, takeTokens, type TokenBucket, type TokenBucketSpec } from "../runtime/token-bucket.ts";
import { isNotFound } from "./errors.ts";
import { formatMicroTime } from "./lease-decision.ts";
import type { KubeObject, Manifest } from "./objects.ts";
import type { KubeApi } from "./ports.ts";
import { resources } from "./resources.ts";

export type EventValue = {
  regarding: { apiVersion: string; kind: string; metadata: { namespace?: string; name: string; uid: string } };
  type: "Normal" | "Warning";
  /** CamelCase, from the reason table. */
  reason: string;
  /** CamelCase verb of what was done. */
  action: string;
  /** For people, with the object's name; cut at 1024 characters. */
  note: string;
};

export type EventRecorderOptions = {
  client: Pick<KubeApi, "create" | "patch">;
  /** `wscluster.io/operator`. */
  controller: string;
  /** This process. */
  instance: string;
  clock: Clock;
  /** In [0, 1). */
  random: () => number;
  /** Per regarded object. Default: 25 at once, one more each 5 minutes (as client-go). */
  limit?: TokenBucketSpec;
  onDropped?: (event: EventValue, why: "flood" | "queueFull" | "refused") => void;
};

type Series = {
  event: EventValue;
  name: string;
  namespace: string;
  count: number;
  lastMs: number;
  /** Count that the server has. */
  writtenCount: number;
  writtenMs: number;
  isQueued: boolean;
};

// An event that comes again within this time belongs to the same series (as client-go).
const SERIES_ENDS_AFTER_MS = 6 * 60_000;
// A running series is written again at most this often.
const SERIES_WRITE_EVERY_MS = 60_000;
const MOST_QUEUED = 1000;
const MOST_SERIES = 4096;
const TRIES = 3;
const LONGEST_NOTE = 1024;

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #series = new Map<string, Series>();
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #queue: Series[] = [];
  readonly #stop = new AbortController();
  #sending: Promise<void> | undefined;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** Returns at once; never throws. */
  record(event: EventValue): void {
    try {
      this.#record(event);
    } catch {
      // An event that cannot even be described is not worth a failed pass.
    }
  }

  /** Resolves when all that was recorded so far is written or given up. */
  async flush(): Promise<void> {
    await this.#sending;
  }

  /** Writes what is queued, then nothing more. */
  async stop(): Promise<void> {
    await Promise.race([this.flush(), sleep(this.#options.clock, 2000)]);
    this.#stop.abort();
    await this.#sending;
  }

  #record(event: EventValue): void {
    if (this.#stop.signal.aborted) return;
    const nowMs = this.#options.clock.nowMs();
    const key = seriesKey(event);
    const running = this.#series.get(key);
    if (running !== undefined && nowMs - running.lastMs < SERIES_ENDS_AFTER_MS) {
      running.count++;
      running.lastMs = nowMs;
      // The second one starts the series at once; later ones only refresh it now and then.
      if (running.writtenCount < 2 || nowMs - running.writtenMs >= SERIES_WRITE_EVERY_MS) this.#enqueue(running);
      return;
    }
    if (!this.#mayCreate(event)) {
      this.#dropped(event, "flood");
      return;
    }
    const regarding = event.regarding.metadata;
    const unique = createHash("sha256").update(`${key} ${nowMs} ${this.#options.random()}`).digest("hex").slice(0, 16);
    const series: Series = {
      event,
      // Names may have 253 characters, the unique part included.
      name: `${regarding.name.slice(0, 230)}.${unique}`,
      namespace: regarding.namespace ?? "default",
      count: 1,
      lastMs: nowMs,
      writtenCount: 0,
      writtenMs: 0,
      isQueued: false,
    };
    this.#series.delete(key);
    this.#series.set(key, series);
    this.#forgetOld(nowMs);
    this.#enqueue(series);
  }

  #enqueue(series: Series): void {
    if (series.isQueued) return;
    if (this.#queue.length >= MOST_QUEUED) {
      this.#dropped(series.event, "queueFull");
      return;
    }
    series.isQueued = true;
    this.#queue.push(series);
    this.#sending ??= this.#send();
  }

  async #send(): Promise<void> {
    for (let series = this.#queue.shift(); series !== undefined; series = this.#queue.shift()) {
      series.isQueued = false;
      for (let attempt = 1; attempt <= TRIES && !this.#stop.signal.aborted; attempt++) {
        if (await this.#write(series)) break;
        if (attempt === TRIES) this.#dropped(series.event, "refused");
        else await sleep(this.#options.clock, 500 * attempt, this.#stop.signal);
      }
    }
    this.#sending = undefined;
  }

  async #write(series: Series): Promise<boolean> {
    const { client, clock } = this.#options;
    const { count, lastMs } = series;
    const ref = { namespace: series.namespace, name: series.name };
    const repeat = { count, lastTimestamp: formatSeconds(lastMs) };
    try {
      if (series.writtenCount > 0) {
        try {
          const options = { type: "merge", signal: this.#stop.signal } as const;
          await client.patch(resources.events, ref, repeat, options);
        } catch (error) {
          // The server forgets events after an hour: begin again.
          if (!isNotFound(error)) throw error;
          await client.create(resources.events, this.#manifestFor(series, count), { signal: this.#stop.signal });
        }
      } else {
        await client.create(resources.events, this.#manifestFor(series, count), { signal: this.#stop.signal });
      }
      series.writtenCount = count;
      series.writtenMs = clock.nowMs();
      return true;
    } catch {
      return false;
    }
  }

  #manifestFor(series: Series, count: number): Manifest {
    const { apiVersion, kind, metadata } = series.event.regarding;
    const { type, reason, action, note } = series.event;
    return {
      apiVersion: "v1",
      kind: "Event",
      metadata: { namespace: series.namespace, name: series.name },
      eventTime: formatMicroTime(series.lastMs),
      firstTimestamp: formatSeconds(series.lastMs),
      lastTimestamp: formatSeconds(series.lastMs),
      count,
      source: { component: this.#options.controller },
      reportingComponent: this.#options.controller,
      reportingInstance: this.#options.instance.slice(0, 128),
      involvedObject: { apiVersion, kind, ...metadata },
      type,
      reason,
      action,
      message: note.length > LONGEST_NOTE ? `${note.slice(0, LONGEST_NOTE - 3)}...` : note,
    };
  }

  #mayCreate(event: EventValue): boolean {
    const spec = this.#options.limit ?? { burst: 25, ratePerSecond: 1 / 300 };
    const nowMs = this.#options.clock.monotonicMs();
    const uid = event.regarding.metadata.uid;
    const taken = takeTokens(this.#buckets.get(uid) ?? fullBucket(spec, nowMs), spec, nowMs, 1);
    this.#buckets.delete(uid);
    this.#buckets.set(uid, taken.bucket);
    if (this.#buckets.size > MOST_SERIES) dropOldest(this.#buckets);
    return taken.taken === 1;
  }

  #forgetOld(nowMs: number): void {
    for (const [key, series] of this.#series) {
      const isOver = nowMs - series.lastMs >= SERIES_ENDS_AFTER_MS;
      if (!isOver && this.#series.size <= MOST_SERIES) return;
      this.#series.delete(key);
    }
  }

  #dropped(event: EventValue, why: "flood" | "queueFull" | "refused"): void {
    try {
      this.#options.onDropped?.(event, why);
    } catch {
      // Counting must not disturb.
    }
  }
}

/** Regarding reference from a live object. */
export function regardingOf(object: KubeObject): EventValue["regarding"] {
  const { namespace, name, uid } = object.metadata;
  const metadata = namespace === undefined ? { name, uid } : { namespace, name, uid };
  return { apiVersion: object.apiVersion, kind: object.kind, metadata };
}

/** RFC 3339 to the second, as the timestamps of core/v1 events are. */
function formatSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

// The note belongs to the key: "blue has 3 pods" and "blue has 2 pods" are two things to tell.
function seriesKey(event: EventValue): string {
  return JSON.stringify([event.regarding.metadata.uid, event.type, event.reason, event.action, event.note]);
}

function dropOldest(map: Map<string, unknown>): void {
  const oldest = map.keys().next().value;
  if (oldest !== undefined) map.delete(oldest);
}
