// Which webhooks are asked at a point of a rollout, what they have said, and when the others are asked again. A yes holds for its
// attempt and point. Not here: the call (webhook-call.ts).
import type { WebSocketClusterSpec } from "@wscluster/crds";
import { freshValue, type GateAt, knownConnections, type Verdict } from "../cluster/facts.ts";
import type { UnjudgedFacts } from "../cluster/observe.ts";
import type { Clock, Timer } from "../runtime/index.ts";
import type { WebhookAnswer, WebhookCall, WebhookCaller } from "./webhook-call.ts";

const DEFAULT_TIMEOUT_SECONDS = 10;
const FIRST_RETRY_MS = 2_000;
const LONGEST_RETRY_MS = 60_000;
/** A no may become a yes where the rollout waits for people. */
const RETRY_NO_MS = 30_000;
const MOST_AT_ONCE = 16;

type Webhook = NonNullable<NonNullable<WebSocketClusterSpec["rollout"]>["webhooks"]>[number];

export type WebhookOptions = {
  readonly clock: Clock;
  readonly call: WebhookCaller;
  /** An answer came in this cluster, or one is to be asked for again. */
  readonly onAnswer: (cluster: string) => void;
  /** How many steps this specification makes, slices included. */
  readonly stepCount: (facts: UnjudgedFacts) => number;
};

type Asked = {
  readonly url: string;
  isRunning: boolean;
  isDue: boolean;
  failures: number;
  answer: WebhookAnswer | undefined;
  timer: Timer | undefined;
};

type Point = { readonly of: string; readonly asked: Map<string, Asked> };

export class WebhookDesk {
  readonly #options: WebhookOptions;
  readonly #points = new Map<string, Point>();
  readonly #stop = new AbortController();
  #running = 0;

  constructor(options: WebhookOptions) {
    this.#options = options;
  }

  verdictAt(cluster: string, at: GateAt, facts: UnjudgedFacts): Verdict | undefined {
    const meant = (facts.spec.rollout?.webhooks ?? []).filter(({ phase }) => this.#isAsked(phase, at, facts));
    if (meant.length === 0) {
      this.forget(cluster);
      return undefined;
    }
    const of = `${at.attempt} ${at.point}`;
    const present = this.#points.get(cluster);
    if (present?.of !== of) this.forget(cluster);
    const point = present?.of === of ? present : { of, asked: new Map<string, Asked>() };
    this.#points.set(cluster, point);
    return verdictOf(meant.map((webhook) => [webhook.name, this.#askedOf(cluster, point, webhook, at, facts)]));
  }

  forget(cluster: string): void {
    for (const { timer } of this.#points.get(cluster)?.asked.values() ?? []) timer?.cancel();
    this.#points.delete(cluster);
  }

  stop(): void {
    this.#stop.abort();
    for (const cluster of [...this.#points.keys()]) this.forget(cluster);
  }

  #isAsked(phase: Webhook["phase"], { point }: GateAt, facts: UnjudgedFacts): boolean {
    const steps = this.#options.stepCount(facts);
    switch (phase) {
      case "Preflight":
        return point === "preflight";
      case "Verify":
        return point === "verify";
      case "Step":
        return point.startsWith("step ");
      case "Promotion":
        return point === (steps === 0 ? "verify" : `step ${steps}`);
    }
  }

  #askedOf(cluster: string, point: Point, webhook: Webhook, at: GateAt, facts: UnjudgedFacts): Asked {
    const { name, url } = webhook;
    const before = point.asked.get(name);
    // Another address is another question.
    const asked: Asked =
      before?.url === url
        ? before
        : { url, isRunning: false, isDue: true, failures: 0, answer: undefined, timer: undefined };
    if (before !== undefined && before !== asked) before.timer?.cancel();
    point.asked.set(name, asked);
    if (asked.isDue && !asked.isRunning && this.#running < MOST_AT_ONCE) {
      void this.#ask(cluster, asked, webhook, bodyFor(webhook, at, facts));
    }
    return asked;
  }

  /** A fault of our own must end neither the process nor the questions. */
  async #answerTo(call: WebhookCall): Promise<WebhookAnswer> {
    try {
      return await this.#options.call(call);
    } catch {
      return { kind: "unclear", why: "it cannot be called" };
    }
  }

  async #ask(cluster: string, asked: Asked, { url, timeoutSeconds }: Webhook, body: string): Promise<void> {
    const { clock, onAnswer } = this.#options;
    asked.isRunning = true;
    asked.isDue = false;
    this.#running++;
    const timeoutMs = (timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS) * 1_000;
    const answer = await this.#answerTo({ url, body, timeoutMs, signal: this.#stop.signal });
    this.#running--;
    asked.isRunning = false;
    if (this.#stop.signal.aborted) return;
    asked.answer = answer;
    // The point may be passed by now, and with it the question.
    const isWanted = [...(this.#points.get(cluster)?.asked.values() ?? [])].includes(asked);
    if (answer.kind !== "yes" && isWanted) {
      const backoffMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(10, asked.failures++));
      asked.timer = clock.startTimer(
        answer.kind === "no" ? RETRY_NO_MS : backoffMs,
        () => {
          asked.isDue = true;
          onAnswer(cluster);
        },
        true,
      );
    }
    onAnswer(cluster);
  }
}

function verdictOf(all: readonly (readonly [name: string, asked: Asked])[]): Verdict {
  const told = (kind: WebhookAnswer["kind"]) =>
    all.flatMap(([name, { answer }]) =>
      answer?.kind === kind && answer.kind !== "yes" ? [`webhook ${name}: ${answer.why}`] : [],
    );
  const [no, unclear] = [told("no"), told("unclear")];
  if (no.length > 0) return { kind: "fail", why: no.join("; ") };
  const waiting = all.flatMap(([name, { answer }]) =>
    answer === undefined ? [`webhook ${name}: it has not answered yet`] : [],
  );
  const open = [...unclear, ...waiting];
  return open.length === 0 ? { kind: "pass" } : { kind: "inconclusive", why: open.join("; ") };
}

/** Small, and nothing of it is a secret or about a person. */
function bodyFor({ name, phase }: Webhook, at: GateAt, facts: UnjudgedFacts): string {
  const isCandidate = (pod: { readonly revision: string }): boolean => pod.revision === facts.wanted.servers;
  const candidates = facts.pods.filter(isCandidate);
  const old = facts.pods.filter((pod) => !isCandidate(pod));
  return JSON.stringify({
    webhook: name,
    phase,
    cluster: { namespace: facts.cluster.namespace, name: facts.cluster.name },
    attempt: at.attempt,
    point: at.point,
    image: facts.spec.server.image,
    candidate: {
      pods: candidates.length,
      ready: candidates.filter((pod) => pod.ready).length,
      connections: knownConnections(candidates),
      silent: candidates.filter((pod) => freshValue(pod.state) === undefined).length,
    },
    old: { pods: old.length, connections: knownConnections(old) },
  });
}
