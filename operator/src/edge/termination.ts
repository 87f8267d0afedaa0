// The end of an edge pod: go on accepting while the Service still sends, then stop listening, then wait until the clients moved.
// Whoever nobody has moved in time (no operator) is closed evenly over the last third: all at once would be a storm at the others.
// It works with any proxy image and on every Kubernetes, because the proxy is stopped only after this: its preStop hook waits here.
import { sleep, type Clock } from "../runtime/index.ts";
import type { EdgeLog } from "./agent.ts";
import type { Proxy } from "./proxy.ts";

export type TerminationOptions = {
  readonly proxy: Pick<Proxy, "read" | "setAccepting" | "endClients">;
  readonly clock: Clock;
  readonly log: EdgeLog;
  /** The pod's grace period in ms. The wait ends 5 s before it. */
  readonly graceMs: number;
  /** How long arrivals may still come after the pod left its Service (kubernetes#106476). Default 5,000 ms. */
  readonly lagMs?: number;
  /** Default 250 ms. */
  readonly pollMs?: number;
  /** How long the hook and SIGTERM wait for one another. Default 3,000 ms. */
  readonly pairMs?: number;
};

/** Part of the time in which those who did not move are closed, evenly. */
const CLOSING_PART = 1 / 3;
const CLOSE_EVERY_MS = 1_000;

export type TerminationResult = { readonly kind: "drained"; readonly connections: number } | { readonly kind: "alone" };

/**
 * Two things must come together: SIGTERM to the agent and the proxy's preStop hook. Either alone is a restart of one container,
 * at which the other goes on as before; so a stranger who calls the hook's path changes nothing.
 */
export class Termination {
  readonly #options: TerminationOptions;
  readonly #signal = Promise.withResolvers<void>();
  readonly #hook = Promise.withResolvers<void>();
  #run: Promise<TerminationResult> | undefined;

  constructor(options: TerminationOptions) {
    this.#options = options;
  }

  /** For SIGTERM. Resolves when the agent may end. */
  onSignal(): Promise<TerminationResult> {
    this.#signal.resolve();
    return this.#bothWithin(this.#hook.promise);
  }

  /** For the hook's request. Resolves when the proxy may be stopped. */
  onHook(): Promise<TerminationResult> {
    this.#hook.resolve();
    return this.#bothWithin(this.#signal.promise);
  }

  async #bothWithin(other: Promise<void>): Promise<TerminationResult> {
    const { clock, pairMs = 3_000 } = this.#options;
    const enough = new AbortController();
    const came = await Promise.race([other.then(() => true), sleep(clock, pairMs, enough.signal).then(() => false)]);
    enough.abort();
    if (!came) return { kind: "alone" };
    this.#run ??= this.#drain();
    return this.#run;
  }

  async #drain(): Promise<TerminationResult> {
    const { proxy, clock, log, graceMs, lagMs = 5_000, pollMs = 250 } = this.#options;
    const endMs = clock.monotonicMs() + Math.max(0, graceMs - 5_000);
    log.info({ graceMs }, "the edge pod ends: its clients move to other edges");
    await sleep(clock, Math.min(lagMs, Math.max(0, graceMs - 5_000)));
    // Nobody is closed before the moves had their time.
    const closeFromMs = endMs - (endMs - clock.monotonicMs()) * CLOSING_PART;
    let closedAtMs = closeFromMs - CLOSE_EVERY_MS;
    let connections = -1;
    let accepting = true;
    while (connections !== 0) {
      try {
        if (accepting) {
          await proxy.setAccepting(false);
          accepting = false;
        }
        connections = (await proxy.read()).connections;
        const nowMs = clock.monotonicMs();
        if (connections > 0 && nowMs >= closedAtMs + CLOSE_EVERY_MS) {
          const rounds = Math.max(1, Math.floor((endMs - nowMs) / CLOSE_EVERY_MS));
          await proxy.endClients(Math.ceil(connections / rounds));
          closedAtMs = nowMs;
        }
      } catch (error) {
        // A proxy that is gone has nobody left to wait for; one that is late is asked again.
        if (isGone(error)) break;
      }
      if (connections === 0 || clock.monotonicMs() >= endMs) break;
      await sleep(clock, pollMs);
    }
    log.info(
      { connections },
      connections > 0 ? "the edge pod's time is over with connections left" : "the edge pod is empty",
    );
    return { kind: "drained", connections: Math.max(0, connections) };
  }
}

function isGone(error: unknown): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === "Unreachable";
}
