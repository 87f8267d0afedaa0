// What `/health` checks, each with its figure and threshold. Pure. Not here: taking the figures (pod.ts, load.ts).

export type HealthCheck = {
  readonly name: string;
  readonly ok: boolean;
  readonly value: number;
  /** The value may be this much. */
  readonly limit: number;
};

export type HealthFacts = {
  readonly slotsUsed: number;
  readonly slots: number;
  readonly rssBytes: number;
  readonly memoryLimitBytes: number;
  readonly queueBytes: number;
  readonly brokerSilenceMs: number;
  readonly eventLoopLagMs: number;
};

const SLOTS_SHARE = 0.9;
const MEMORY_SHARE = 0.9;
/** Send queues lie outside the heap, where no flag of Node.js bounds them. */
const QUEUES_SHARE = 0.25;
const QUEUES_MOST_BYTES = 256 * 1024 * 1024;
/** The store counts as away after this much silence. */
export const BROKER_SILENCE_MS = 3_000;
const LAG_MS = 200;

export function healthChecksOf(facts: HealthFacts): readonly HealthCheck[] {
  const { memoryLimitBytes } = facts;
  const queuesLimit = Math.min(QUEUES_MOST_BYTES, Math.floor(memoryLimitBytes * QUEUES_SHARE));
  return [
    checkOf("slots", facts.slotsUsed, Math.floor(facts.slots * SLOTS_SHARE)),
    checkOf("memoryBytes", facts.rssBytes, Math.floor(memoryLimitBytes * MEMORY_SHARE)),
    checkOf("sendQueueBytes", facts.queueBytes, queuesLimit),
    checkOf("brokerSilenceMs", facts.brokerSilenceMs, BROKER_SILENCE_MS),
    checkOf("eventLoopLagMs", facts.eventLoopLagMs, LAG_MS),
  ];
}

function checkOf(name: string, value: number, limit: number): HealthCheck {
  return { name, ok: value <= limit, value, limit };
}

/** Bytes that the process may use: the cgroup's limit where there is one, else the machine's memory. Pure. */
export function memoryLimitOf(constrainedBytes: number, machineBytes: number): number {
  return constrainedBytes > 0 && constrainedBytes < machineBytes ? constrainedBytes : machineBytes;
}
