// Whether the namespace's quotas have room for the pods that a rollout makes first. Pure. Not here: reading quotas.
// What cannot be known says nothing: quotas with scopes, amounts that a LimitRange or an admission plugin fills in.
import { parseQuantity, type ResourceQuota } from "../kube/index.ts";
import { candidateSize } from "./decide/rollout/plan-of-steps.ts";
import type { ClusterFacts } from "./facts.ts";

type Needs = Readonly<Record<string, string | number | undefined>>;

/** Why the candidate's first pods cannot be made, or undefined when nothing says so. */
export function quotaTroubleOf(
  quotas: readonly ResourceQuota[],
  facts: Pick<ClusterFacts, "spec" | "pods" | "wanted">,
): string | undefined {
  const { spec, pods, wanted } = facts;
  const present = pods.filter((pod) => pod.revision === wanted.servers && !pod.deleting).length;
  const size = candidateSize(spec, { step: "provision", trial: undefined }, 0) ?? spec.replicas;
  const count = Math.max(0, size - present);
  if (count === 0) return undefined;
  const needs = needsOfPod(spec);
  const troubles = quotas.flatMap((quota) => {
    if ((quota.spec?.scopes ?? []).length > 0 || quota.spec?.scopeSelector !== undefined) return [];
    const { hard = {}, used = {} } = quota.status ?? {};
    return Object.entries(hard).flatMap(([what, limit]) => {
      const each = needs[what];
      const text = each === undefined ? undefined : troubleOf(each, count, limit, used[what] ?? "0");
      return text === undefined ? [] : [`quota ${quota.metadata.name} has ${text} of ${what} for ${count} more pods`];
    });
  });
  return troubles.length === 0 ? undefined : troubles.join("; ");
}

function needsOfPod({ server }: ClusterFacts["spec"]): Needs {
  const { requests = {}, limits = {} } = server.resources ?? {};
  // A limit alone is taken for the request as well.
  const requested = (what: "cpu" | "memory") => requests[what] ?? limits[what];
  return {
    pods: 1,
    "count/pods": 1,
    cpu: requested("cpu"),
    memory: requested("memory"),
    "requests.cpu": requested("cpu"),
    "requests.memory": requested("memory"),
    "limits.cpu": limits["cpu"],
    "limits.memory": limits["memory"],
  };
}

function troubleOf(each: string | number, count: number, hard: string, used: string): string | undefined {
  const [need, limit, taken] = [parseQuantity(each), parseQuantity(hard), parseQuantity(used)];
  if (need === undefined || limit === undefined || taken === undefined) return undefined;
  return taken + need * BigInt(count) <= limit ? undefined : `${used} of ${hard}`;
}
