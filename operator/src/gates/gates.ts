// All that judges a rollout from outside of the decision: the synthetic client, the analysis and the webhooks of all clusters of one
// term of leadership. Losing it costs a second judgement, never a false one. Not here: the preflight (cluster/decide/preflight.ts).
import { adminPortOf, clientPortOf } from "../cluster/act.ts";
import { receiptsOf } from "../cluster/decide/decision.ts";
import { stepsOf } from "../cluster/decide/rollout/plan-of-steps.ts";
import { freshValue, type GateAt, type GateFacts } from "../cluster/facts.ts";
import type { UnjudgedFacts } from "../cluster/observe.ts";
import type { Clock } from "../runtime/index.ts";
import { createTextFetcher } from "../signals/index.ts";
import { AnalysisDesk, type AnalysisOptions } from "./analysis.ts";
import { probePod } from "./probe.ts";
import { SyntheticDesk, type SyntheticOptions } from "./synthetic.ts";
import { parseAllowList } from "./webhook-address.ts";
import { createWebhookCaller } from "./webhook-call.ts";
import { WebhookDesk, type WebhookOptions } from "./webhooks.ts";

export type GateOptions = Omit<AnalysisOptions, "onRead"> &
  Omit<SyntheticOptions, "onVisited"> &
  Omit<WebhookOptions, "onAnswer"> & {
    /** Something new is known of this cluster: look again. */
    readonly onNews: (cluster: string) => void;
  };

/** The gates of a term, over real HTTP. `close` ends what they hold open. */
export function createGates(options: {
  readonly clock: Clock;
  readonly onNews: (cluster: string) => void;
  readonly webhooksAllowed: readonly string[];
  /** Told of each visit of the synthetic client and each call of a webhook. */
  readonly count: (gate: "synthetic" | "webhook", result: string) => void;
}): { readonly gates: Gates; readonly close: () => void } {
  const fetcher = createTextFetcher(options.clock);
  const call = createWebhookCaller({ allowed: parseAllowList(options.webhooksAllowed) });
  const gates = new Gates({
    clock: options.clock,
    onNews: options.onNews,
    fetch: fetcher.fetch,
    probe: async (visit) => {
      const outcome = await probePod(visit);
      options.count("synthetic", outcome.kind);
      return outcome;
    },
    call: async (question) => {
      const answer = await call(question);
      options.count("webhook", answer.kind);
      return answer;
    },
    adminPortOf,
    clientPortOf,
    receiptsOf: (facts, attempt) => {
      const set = facts.sets.find((one) => one.attempt === attempt);
      const isTold = facts.pods.some((pod) => freshValue(pod.state) !== undefined);
      return set === undefined || !isTold ? undefined : receiptsOf(facts, set);
    },
    stepCount: (facts) => stepsOf(facts.spec).length,
  });
  return {
    gates,
    close() {
      gates.stop();
      fetcher.close();
    },
  };
}

export class Gates {
  readonly #analysis: AnalysisDesk;
  readonly #synthetic: SyntheticDesk;
  readonly #webhooks: WebhookDesk;

  constructor({ onNews, ...options }: GateOptions) {
    this.#analysis = new AnalysisDesk({ ...options, onRead: onNews });
    this.#synthetic = new SyntheticDesk({ ...options, onVisited: onNews });
    this.#webhooks = new WebhookDesk({ ...options, onAnswer: onNews });
  }

  /** @param adminKey of the cluster; undefined while it has none. */
  verdictsAt(cluster: string, at: GateAt, facts: UnjudgedFacts, adminKey: string | undefined): GateFacts {
    const synthetic = this.#synthetic.verdictAt(cluster, at, facts, adminKey);
    const analysis = this.#analysis.verdictAt(cluster, at, facts);
    const webhooks = this.#webhooks.verdictAt(cluster, at, facts);
    return {
      ...(synthetic === undefined ? {} : { synthetic }),
      ...(analysis === undefined ? {} : { analysis }),
      ...(webhooks === undefined ? {} : { webhooks }),
    };
  }

  /** Nothing of this cluster is judged now. */
  rest(cluster: string): void {
    for (const desk of [this.#analysis, this.#synthetic, this.#webhooks]) desk.forget(cluster);
  }

  stop(): void {
    for (const desk of [this.#analysis, this.#synthetic, this.#webhooks]) desk.stop();
  }
}
