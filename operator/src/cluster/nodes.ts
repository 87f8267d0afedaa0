// What a node says about the time of the pods on it. Pure.
import type { Node } from "../kube/index.ts";
import type { NodeFacts } from "./facts.ts";

/**
 * Taints that announce a removal. A cordon (`unschedulable`) is weaker evidence: people cordon nodes for many reasons, and
 * take it back.
 */
const DELETION_TAINTS = new Set([
  "ToBeDeletedByClusterAutoscaler",
  "karpenter.sh/disrupted",
  "karpenter.sh/disruption",
  "node.kubernetes.io/out-of-service",
  "aws-node-termination-handler/spot-itn",
  "aws-node-termination-handler/scheduled-maintenance",
  "aws-node-termination-handler/asg-lifecycle-termination",
  "cloud.google.com/impending-node-termination",
]);

export function nodeFactsOf(node: Node): NodeFacts {
  const taint = node.spec?.taints?.find(({ key }) => DELETION_TAINTS.has(key));
  const doomed =
    taint !== undefined
      ? `taint ${taint.key}`
      : node.metadata.deletionTimestamp === undefined
        ? undefined
        : "it is being deleted";
  return { cordoned: node.spec?.unschedulable === true, doomed };
}

/** Empty for a node that nobody has to do anything about. */
export function nodeMarkOf(node: Node): string {
  const { cordoned, doomed } = nodeFactsOf(node);
  return cordoned || doomed !== undefined ? `${cordoned} ${doomed ?? ""}` : "";
}
