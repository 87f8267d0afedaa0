// Turns what passes saw, decided and did into the metrics of the table. Not here: the table (metrics.ts), the numbers of the
// controller loop (controller-metrics.ts).
import type { Metrics } from "@wscluster/platform";
import { INTENT_KINDS, NO_RECEIPTS, type Receipts } from "@wscluster/protocol";
import type { WriteOutcome } from "../contract/writer.ts";
import type { PlannedGrant } from "../moves/planner.ts";
import { receiptsFor } from "./decide/decision.ts";
import { attachedPods } from "./decide/sets.ts";
import { type ClusterFacts, freshValue, SET_ROLES } from "./facts.ts";
import type { OPERATOR_METRICS } from "./metrics.ts";
import type { Plan } from "./plan.ts";

export type OperatorMetrics = Metrics<keyof typeof OPERATOR_METRICS>;

/** A grant and what became of it at its pod. */
export type GrantReport = { readonly grant: PlannedGrant; readonly outcome: WriteOutcome["kind"] | "unpaid" };

type Seen = {
  readonly labels: { readonly namespace: string; readonly name: string };
  readonly sets: Readonly<Record<string, number>>;
  readonly held: string | undefined;
  /** Pods whose health is shown. */
  readonly healthOf: Set<string>;
  receipts: ReadonlyMap<string, Receipts> | undefined;
  cutUnderFreeze: number;
};

const OUTCOMES = ["moved", "resumed", "refused", "late", "cut", "unknown"] as const;

/** Lives as long as a term of leadership: who does not lead shows no clusters. */
export class ClusterMetrics {
  readonly #metrics: OperatorMetrics;
  readonly #clusters = new Map<string, Seen>();
  readonly #heldReasons = new Set<string>();

  constructor(metrics: OperatorMetrics) {
    this.#metrics = metrics;
    for (const role of SET_ROLES) metrics.set("wscluster_operator_sets", 0, { role });
    metrics.set("wscluster_operator_clusters", 0);
  }

  saw(key: string, facts: ClusterFacts, plan: Plan): void {
    const { namespace, name } = facts.cluster;
    const before = this.#clusters.get(key);
    const seen: Seen = {
      labels: { namespace, name },
      sets: Object.fromEntries(
        SET_ROLES.map((role) => [role, facts.sets.filter((set) => set.role === role && holdsPods(facts, set)).length]),
      ),
      held: plan.status.moves?.held,
      healthOf: new Set(),
      receipts: before?.receipts,
      cutUnderFreeze: facts.memory.cutUnderFreeze,
    };
    this.#clusters.set(key, seen);
    this.#countReceipts(facts, seen);
    const { tokens, emergencyTokens, perSecond } = facts.memory;
    const metrics = this.#metrics;
    metrics.set("wscluster_operator_tokens", tokens, { ...seen.labels, bucket: "ordinary" });
    metrics.set("wscluster_operator_tokens", emergencyTokens, { ...seen.labels, bucket: "emergency" });
    metrics.set("wscluster_operator_pace_per_second", perSecond, seen.labels);
    this.#showLoad(facts, before, seen);
    metrics.set("wscluster_operator_connections", plan.status.connections ?? 0, seen.labels);
    metrics.add("wscluster_operator_cut_under_freeze_total", seen.cutUnderFreeze - (before?.cutUnderFreeze ?? 0));
    this.#sum();
  }

  did(grants: readonly GrantReport[]): void {
    for (const { grant, outcome } of grants) {
      const intent = kindOf(grant.intent);
      this.#metrics.add("wscluster_operator_grants_total", 1, { intent, outcome });
      if (outcome !== "unpaid") {
        this.#metrics.add("wscluster_operator_granted_connections_total", grant.count, { intent, outcome });
      }
    }
  }

  forget(key: string): void {
    const seen = this.#clusters.get(key);
    if (seen === undefined) return;
    this.#clusters.delete(key);
    for (const bucket of ["ordinary", "emergency"]) {
      this.#metrics.remove("wscluster_operator_tokens", { ...seen.labels, bucket });
    }
    this.#metrics.remove("wscluster_operator_imbalance_percent", seen.labels);
    for (const pod of seen.healthOf) this.#metrics.remove("wscluster_operator_pod_health", { ...seen.labels, pod });
    this.#metrics.remove("wscluster_operator_pace_per_second", seen.labels);
    this.#metrics.remove("wscluster_operator_connections", seen.labels);
    this.#sum();
  }

  /** What is not known any more is taken away: an old number would be taken for the present one. */
  #showLoad({ balance, pods }: Pick<ClusterFacts, "balance" | "pods">, before: Seen | undefined, seen: Seen): void {
    const metrics = this.#metrics;
    const imbalance = balance?.advice.imbalancePercent;
    if (imbalance === undefined) metrics.remove("wscluster_operator_imbalance_percent", seen.labels);
    else metrics.set("wscluster_operator_imbalance_percent", Math.round(imbalance), seen.labels);
    const names = new Map(pods.map(({ key, name }) => [key, name]));
    for (const [key, health] of balance?.health ?? []) {
      const pod = names.get(key);
      if (pod === undefined || health.kind === "unknown") continue;
      metrics.set("wscluster_operator_pod_health", health.score, { ...seen.labels, pod });
      seen.healthOf.add(pod);
    }
    for (const pod of before?.healthOf ?? []) {
      if (!seen.healthOf.has(pod)) metrics.remove("wscluster_operator_pod_health", { ...seen.labels, pod });
    }
  }

  /** The term is over. */
  clear(): void {
    for (const key of [...this.#clusters.keys()]) this.forget(key);
  }

  /** Receipts are totals that outlive us: what was there at the first look is not ours to count again. */
  #countReceipts(facts: ClusterFacts, seen: Seen): void {
    const intents = new Set(facts.pods.flatMap((pod) => Object.keys(freshValue(pod.state)?.receipts ?? {})));
    if (intents.size === 0 && seen.receipts === undefined && facts.pods.every((pod) => pod.state.kind === "unknown")) {
      return;
    }
    const now = new Map([...intents].map((intent) => [intent, receiptsFor(facts, [intent])]));
    const { receipts: before } = seen;
    // An intent that no pod reports any more is kept, or it would be counted again if it came back.
    seen.receipts = new Map([...(before ?? []), ...now]);
    if (before === undefined) return;
    for (const [intent, receipts] of now) {
      const old = before.get(intent) ?? NO_RECEIPTS;
      for (const outcome of OUTCOMES) {
        const more = receipts[outcome] - old[outcome];
        if (more > 0) this.#metrics.add("wscluster_operator_moves_total", more, { intent: kindOf(intent), outcome });
      }
    }
  }

  #sum(): void {
    const all = [...this.#clusters.values()];
    this.#metrics.set("wscluster_operator_clusters", all.length);
    for (const role of SET_ROLES) {
      const count = all.reduce((sum, { sets }) => sum + (sets[role] ?? 0), 0);
      this.#metrics.set("wscluster_operator_sets", count, { role });
    }
    for (const { held } of all) if (held !== undefined) this.#heldReasons.add(held);
    for (const reason of this.#heldReasons) {
      this.#metrics.set("wscluster_operator_held", all.filter(({ held }) => held === reason).length, { reason });
    }
  }
}

function holdsPods(facts: ClusterFacts, set: { readonly revision: string; readonly replicas: number }): boolean {
  return set.replicas > 0 || attachedPods(facts.pods, set).length > 0;
}

/** The label's values are bounded, whatever a pod reports. */
function kindOf(intent: string): string {
  const kind = intent.slice(0, intent.indexOf("/"));
  return Object.hasOwn(INTENT_KINDS, kind) ? kind : "other";
}
