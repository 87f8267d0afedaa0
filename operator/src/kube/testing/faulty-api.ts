// Any API client, made unreliable by a seeded generator: what real API servers, networks and watches do. Test code only.
import { type Clock, sleep } from "../../runtime/clock.ts";
import { KubeError } from "../errors.ts";
import type { KubeObject } from "../objects.ts";
import type { KubeApi, WatchEvent, WatchOptions } from "../ports.ts";
import type { Resource } from "../resources.ts";

export const FAULTS = [
  "409",
  "429",
  "500",
  "timeout before",
  "timeout after",
  "watch cut",
  "watch gone",
  "duplicate event",
  "stale cache",
] as const;
export type Fault = (typeof FAULTS)[number];

export type FaultyOptions = {
  readonly random: () => number;
  readonly clock: Clock;
  /** Which part of the requests fails, 0 to 1. Asked each time, so that a test can let it get better. */
  readonly rate: () => number;
  readonly onFault: (fault: Fault) => void;
};

const WRITES = ["create", "replace", "apply", "applyStatus", "patch", "patchStatus", "delete", "evict"];
const READS = ["get", "find", "list"];
/** The longest that an event is held back. */
const STALE_MS = 3_000;

export function faultyApi(api: KubeApi, options: FaultyOptions): KubeApi {
  return new Proxy(api, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== "function") return method;
      const call = (given: unknown[]): unknown => Reflect.apply(method, target, given);
      if (name === "watch") {
        return (resource: Resource, given: WatchOptions) => faultyWatch(target.watch(resource, given), given, options);
      }
      const isWrite = WRITES.includes(String(name));
      if (!isWrite && !READS.includes(String(name))) return (...given: unknown[]) => call(given);
      return async (...given: unknown[]) => {
        const { random, rate, onFault } = options;
        const fault = random() < rate() ? faultFor(isWrite, random()) : undefined;
        if (fault === undefined) return call(given);
        onFault(fault);
        // It happened, and nobody will ever be told so.
        if (fault === "timeout after") await call(given);
        throw errorFor(fault, String(name));
      };
    },
  });
}

function faultFor(isWrite: boolean, dice: number): Fault {
  const faults: readonly Fault[] = isWrite
    ? ["409", "429", "500", "timeout before", "timeout after"]
    : ["429", "500", "timeout before"];
  return faults[Math.floor(dice * faults.length)] ?? "500";
}

function errorFor(fault: Fault, what: string): KubeError {
  const text = `cannot ${what}: injected ${fault}`;
  if (fault === "409") return new KubeError("Conflict", text, { status: 409 });
  if (fault === "429") return new KubeError("TooManyRequests", text, { status: 429, retryAfterMs: 1_000 });
  if (fault === "500") return new KubeError("ServerError", text, { status: 500 });
  return new KubeError("Timeout", text);
}

async function* faultyWatch(
  events: AsyncIterable<WatchEvent<KubeObject>>,
  { signal }: WatchOptions,
  { random, clock, rate, onFault }: FaultyOptions,
): AsyncGenerator<WatchEvent<KubeObject>> {
  const isHit = (): boolean => random() < rate();
  if (isHit()) {
    onFault("watch gone");
    throw new KubeError("Gone", "cannot watch: injected 410", { status: 410 });
  }
  for await (const event of events) {
    if (isHit()) {
      onFault("stale cache");
      await sleep(clock, random() * STALE_MS, signal);
    }
    if (isHit()) {
      onFault("watch cut");
      throw new KubeError("Unreachable", "cannot go on watching: injected reset");
    }
    // A copy, since the reader keeps and freezes what it got.
    const again = isHit() ? structuredClone(event) : undefined;
    yield event;
    if (again === undefined) continue;
    onFault("duplicate event");
    yield again;
  }
}
