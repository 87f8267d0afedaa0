// This process's load, sampled once a second. Not here: who reads it.

import { monitorEventLoopDelay } from "node:perf_hooks";
import type { PodState } from "@wscluster/protocol";

const LAG_LIMIT_MS = 250;
const QUEUE_LIMIT_BYTES = 256 * 1024 * 1024;

export type LoadFacts = { readonly cpu: number; readonly eventLoopLagMs: number; readonly queueBytes: number };

/** 0 = idle, 1 = cannot take more: the worst of CPU (one core), event-loop lag and bytes waiting. Pure. */
export function pressureOf(facts: LoadFacts): number {
  const worst = Math.max(facts.cpu, facts.eventLoopLagMs / LAG_LIMIT_MS, facts.queueBytes / QUEUE_LIMIT_BYTES);
  return Math.min(1, Math.max(0, Math.round(worst * 1_000) / 1_000));
}

export class LoadSampler {
  messagesIn = 0;
  messagesOut = 0;
  readonly #delay = monitorEventLoopDelay({ resolution: 10 });
  #cpu = process.cpuUsage();
  #atMs: number;
  #lastIn = 0;
  #lastOut = 0;
  #load: PodState["load"] = {
    cpu: 0,
    rssBytes: process.memoryUsage.rss(),
    eventLoopLagMs: 0,
    messagesInPerSecond: 0,
    messagesOutPerSecond: 0,
  };

  constructor(nowMs: number) {
    this.#atMs = nowMs;
    this.#delay.enable();
  }

  get load(): PodState["load"] {
    return this.#load;
  }

  /** When the figures were taken. */
  get sampledAtMs(): number {
    return this.#atMs;
  }

  sample(nowMs: number): void {
    const seconds = (nowMs - this.#atMs) / 1_000;
    if (seconds <= 0) return;
    const used = process.cpuUsage(this.#cpu);
    this.#cpu = process.cpuUsage();
    this.#atMs = nowMs;
    // The histogram counts its own 10 ms period too.
    const lagMs = Math.max(0, this.#delay.percentile(99) / 1e6 - 10);
    this.#delay.reset();
    this.#load = {
      cpu: rounded((used.user + used.system) / 1e6 / seconds),
      rssBytes: process.memoryUsage.rss(),
      eventLoopLagMs: Number.isFinite(lagMs) ? rounded(lagMs) : 0,
      messagesInPerSecond: rounded((this.messagesIn - this.#lastIn) / seconds),
      messagesOutPerSecond: rounded((this.messagesOut - this.#lastOut) / seconds),
    };
    this.#lastIn = this.messagesIn;
    this.#lastOut = this.messagesOut;
  }

  stop(): void {
    this.#delay.disable();
  }
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
