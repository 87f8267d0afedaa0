// The commands that end a wait, ready to be copied. Pure.
import type { ClusterFacts } from "../../facts.ts";

/** In every message about an approval or an abort that names something else. */
export const NOT_THIS_ATTEMPT = "which is not this attempt";

type Change = { readonly approvedAttempt?: string; readonly abortedAttempt?: string; readonly paused?: boolean };

export function patchCommand({ cluster }: Pick<ClusterFacts, "cluster">, rollout: Change): string {
  const patch = JSON.stringify({ spec: { rollout } });
  return `kubectl -n ${cluster.namespace} patch wsc ${cluster.name} --type merge -p '${patch}'`;
}
