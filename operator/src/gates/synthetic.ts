// Which of a candidate's pods have served the operator's own client, and when the others are visited again. A pod that served
// once is not visited again in that life. Not here: the visit (probe.ts), what follows from the verdict.
import { randomBytes } from "node:crypto";
import { freshValue, type GateAt, type ServerPodFacts, type Verdict } from "../cluster/facts.ts";
import type { UnjudgedFacts } from "../cluster/observe.ts";
import type { Clock, Timer } from "../runtime/index.ts";
import type { ProbeOptions, ProbeOutcome, Prober, ProbeTarget } from "./probe.ts";

const TIMEOUT_MS = 5_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;
/** Visits that a pod must have failed one after another before it is said to fail. */
const PATIENCE = 3;
/** Visits at once, over all clusters. */
const MOST_AT_ONCE = 8;
const NAMED_PODS = 3;

export type SyntheticOptions = {
  readonly clock: Clock;
  readonly probe: Prober;
  /** A visit in this cluster ended, or a pod may be visited again. */
  readonly onVisited: (cluster: string) => void;
  readonly clientPortOf: (facts: UnjudgedFacts, pod: ServerPodFacts) => number;
};

type Visits = {
  state: "due" | "running" | "waiting" | "served";
  /** In a row. */
  failures: number;
  /** Of the last visit; the failures in a row that the pod itself is to blame for. */
  blamed: number;
  why: string;
  timer: Timer | undefined;
};

export class SyntheticDesk {
  readonly #options: SyntheticOptions;
  readonly #clusters = new Map<string, Map<string, Visits>>();
  readonly #stop = new AbortController();
  #running = 0;

  constructor(options: SyntheticOptions) {
    this.#options = options;
  }

  /** @param key the cluster's admin key; undefined while there is none. */
  verdictAt(cluster: string, at: GateAt, facts: UnjudgedFacts, key: string | undefined): Verdict | undefined {
    const mode = facts.spec.rollout?.syntheticClient ?? "Enforce";
    // In the last move everybody is on their way already: what then goes wrong shows in what users get.
    if (mode === "Off" || at.point === "preflight" || at.point === "move") {
      this.forget(cluster);
      return undefined;
    }
    const pods = facts.pods.filter(
      (pod) => pod.revision === facts.wanted.servers && pod.set === "attached" && pod.ready && !pod.deleting,
    );
    const known = this.#clusters.get(cluster) ?? new Map<string, Visits>();
    this.#clusters.set(cluster, known);
    const lives = pods.map((pod) => ({ pod, visits: this.#visitsOf(cluster, known, facts, pod, key) }));
    const living = new Set(pods.map(lifeOf));
    for (const [life, visits] of known) {
      if (living.has(life)) continue;
      visits.timer?.cancel();
      known.delete(life);
    }
    const verdict = syntheticVerdict(lives);
    return mode === "Warn" ? { kind: "pass" } : verdict;
  }

  forget(cluster: string): void {
    for (const { timer } of this.#clusters.get(cluster)?.values() ?? []) timer?.cancel();
    this.#clusters.delete(cluster);
  }

  stop(): void {
    this.#stop.abort();
    for (const cluster of [...this.#clusters.keys()]) this.forget(cluster);
  }

  /** Undefined: this pod takes no probe. */
  #visitsOf(
    cluster: string,
    known: Map<string, Visits>,
    facts: UnjudgedFacts,
    pod: ServerPodFacts,
    key: string | undefined,
  ): Visits | undefined {
    const state = freshValue(pod.state);
    if (state !== undefined && state.probe === undefined) return undefined;
    const life = lifeOf(pod);
    const visits = known.get(life) ?? {
      state: "due",
      failures: 0,
      blamed: 0,
      why: "it has not been visited yet",
      timer: undefined,
    };
    known.set(life, visits);
    if (visits.state !== "due" || state === undefined || key === undefined || pod.ip === undefined) return visits;
    if (this.#running >= MOST_AT_ONCE) return visits;
    const target: ProbeTarget = {
      host: pod.ip,
      port: this.#options.clientPortOf(facts, pod),
      path: facts.spec.server.path ?? "/ws",
      podUid: pod.uid,
      bootNonce: state.bootNonce,
    };
    void this.#visit(cluster, visits, target, key);
    return visits;
  }

  /** A fault of our own is nobody else's, and must end neither the process nor the visits. */
  async #outcomeOf(options: ProbeOptions): Promise<ProbeOutcome> {
    try {
      return await this.#options.probe(options);
    } catch (error) {
      return { kind: "unreachable", why: error instanceof Error ? error.message : String(error) };
    }
  }

  async #visit(cluster: string, visits: Visits, target: ProbeTarget, key: string): Promise<void> {
    visits.state = "running";
    this.#running++;
    const nonce = randomBytes(18).toString("base64url");
    const outcome = await this.#outcomeOf({ target, key, nonce, timeoutMs: TIMEOUT_MS, signal: this.#stop.signal });
    this.#running--;
    if (this.#stop.signal.aborted) return;
    if (outcome.kind === "served") visits.state = "served";
    else {
      visits.failures++;
      visits.blamed = outcome.kind === "failed" ? visits.blamed + 1 : 0;
      visits.why = outcome.why;
      visits.state = "waiting";
      const waitMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(10, visits.failures - 1));
      visits.timer = this.#options.clock.startTimer(
        waitMs,
        () => {
          visits.state = "due";
          this.#options.onVisited(cluster);
        },
        true,
      );
    }
    this.#options.onVisited(cluster);
  }
}

/** A process that began anew has not served anybody yet. */
function lifeOf(pod: ServerPodFacts): string {
  const boot = pod.state.kind === "known" ? pod.state.value.bootNonce : "";
  return `${pod.uid} ${boot}`;
}

function syntheticVerdict(
  lives: readonly { readonly pod: ServerPodFacts; readonly visits: Visits | undefined }[],
): Verdict {
  // Servers of others need not know probes: they are judged by what they do with users.
  const asked = lives.flatMap(({ pod, visits }) => (visits === undefined ? [] : [{ name: pod.name, visits }]));
  const open = asked.filter(({ visits }) => visits.state !== "served");
  if (open.length === 0) return { kind: "pass" };
  const named = open.slice(0, NAMED_PODS).map(({ name, visits }) => `${name}: ${visits.why}`);
  const why = `${asked.length - open.length} of ${asked.length} pods served the operator's client; ${named.join("; ")}`;
  return { kind: open.some(({ visits }) => visits.blamed >= PATIENCE) ? "fail" : "inconclusive", why };
}
