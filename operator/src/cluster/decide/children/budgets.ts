// PodDisruptionBudgets: one per set, right also with the operator down, and one constant for pods on their way out.
// Two never match one pod, or evictions would fail for good.
import { childNames, LABELS } from "@wscluster/crds";
import type { Manifest } from "../../../kube/index.ts";
import { type ClusterId, type Component, metadataFor, selectorFor } from "./labels.ts";

/** Named like the ReplicaSet whose selector it shares. A broken candidate cannot block the stable set. */
export function setBudgetFor(cluster: ClusterId, name: string, revision: string, component: Component): Manifest {
  const metadata = metadataFor(cluster, name, component);
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { ...metadata, labels: { ...metadata.labels, [LABELS.revision]: revision } },
    spec: {
      maxUnavailable: 1,
      // A pod that is not ready protects nobody: it must not block a node drain (KEP-3017).
      unhealthyPodEvictionPolicy: "AlwaysAllow",
      selector: {
        matchLabels: {
          ...selectorFor(cluster, component),
          [LABELS.revision]: revision,
          [LABELS.set]: "attached",
        },
      },
    },
  };
}

/** Cannot deadlock: a draining pod empties itself, is not ready then, and AlwaysAllow lets it go. */
export function drainingBudgetFor(cluster: ClusterId): Manifest {
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: metadataFor(cluster, childNames(cluster.name).drainingBudget),
    spec: {
      maxUnavailable: 0,
      unhealthyPodEvictionPolicy: "AlwaysAllow",
      selector: { matchLabels: { [LABELS.cluster]: cluster.name, [LABELS.set]: "draining" } },
    },
  };
}
