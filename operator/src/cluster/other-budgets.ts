// PodDisruptionBudgets of the user that select our pods. Kubernetes refuses every eviction of a pod that two budgets select, for good
// ("more than one PodDisruptionBudget, which the eviction subresource does not support"): where the user brings one, ours goes. Pure.
import { childNames, LABELS } from "@wscluster/crds";
import type { Pod, PodDisruptionBudget } from "../kube/index.ts";
import type { ClusterFacts } from "./facts.ts";
import type { Action, EventValue } from "./plan.ts";

type Selector = NonNullable<NonNullable<PodDisruptionBudget["spec"]>["selector"]>;
type Labels = Readonly<Record<string, string>>;

/** Name of the user's budget by the uid of each pod that it selects. */
export function otherBudgetsOf(
  budgets: readonly PodDisruptionBudget[],
  cluster: string,
  pods: readonly Pod[],
): ReadonlyMap<string, string> {
  const others = budgets.filter((budget) => budget.metadata.labels?.[LABELS.cluster] !== cluster);
  return new Map(
    pods.flatMap((pod): [string, string][] => {
      const found = others.find((budget) => isSelected(budget.spec?.selector, pod.metadata.labels ?? {}));
      return found === undefined ? [] : [[pod.metadata.uid, found.metadata.name]];
    }),
  );
}

/** As policy/v1 reads it: no selector selects nothing, an empty one everything. */
function isSelected(selector: Selector | undefined, labels: Labels): boolean {
  if (selector === undefined) return false;
  const byLabel = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  return (
    byLabel &&
    (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      const value = labels[key];
      if (operator === "Exists") return value !== undefined;
      if (operator === "DoesNotExist") return value === undefined;
      const isAmong = value !== undefined && values.includes(value);
      return operator === "In" ? isAmong : !isAmong;
    })
  );
}

/** The plan without our budgets where the user's select the same pods, and with the removal of those that are there. */
export function yieldBudgets(
  facts: Pick<ClusterFacts, "cluster" | "budgets" | "pods" | "edgePods" | "otherBudgets">,
  actions: readonly Action[],
): { readonly actions: readonly Action[]; readonly events: readonly EventValue[] } {
  const { otherBudgets, cluster } = facts;
  if (otherBudgets === undefined || otherBudgets.size === 0) return { actions, events: [] };
  const pods = [...facts.pods, ...facts.edgePods];
  const { drainingBudget } = childNames(cluster.name);
  const removals: Action[] = [];
  const events: EventValue[] = [];
  const kept = actions.filter((action) => {
    if (action.kind !== "apply" || action.manifest.kind !== "PodDisruptionBudget") return true;
    const { name } = action.manifest.metadata;
    // A pod that is detached later must not come under two budgets either.
    const mine = name === drainingBudget ? pods : pods.filter((pod) => isUnder(pod, name, cluster.name));
    const other = mine.map((pod) => otherBudgets.get(pod.uid)).find((found) => found !== undefined);
    if (other === undefined) return true;
    const live = facts.budgets.find((budget) => budget.name === name);
    if (live === undefined) return false;
    removals.push({ kind: "delete", resource: "podDisruptionBudgets", name, uid: live.uid });
    events.push({
      reason: "BudgetYields",
      message: `PodDisruptionBudget ${other} selects pods of this cluster: the operator's own ${name} is removed, since Kubernetes refuses every eviction of a pod under two`,
    });
    return false;
  });
  return { actions: [...kept, ...removals], events };
}

/** A set's budget has the name of its ReplicaSet: CLUSTER-REVISION or CLUSTER-edge-REVISION. */
function isUnder(pod: { readonly revision: string }, budget: string, cluster: string): boolean {
  return budget === `${cluster}-${pod.revision}` || budget === `${cluster}-edge-${pod.revision}`;
}
