// The ReplicaSet of a revision, with the facts about it that cannot be derived. Pure builder.
import { ANNOTATIONS, LABELS } from "@wscluster/crds";
import type { PodMode } from "@wscluster/protocol";
import type { Manifest } from "../../../kube/index.ts";
import type { SetBody, SetMarks } from "../../facts.ts";
import { trialText } from "../../trial-marks.ts";
import { type ClusterId, type Component, metadataFor, selectorFor } from "./labels.ts";
import { withTraffic } from "./server-template.ts";

export type ReplicaSetIntent = SetBody & {
  readonly name: string;
  readonly component: Component;
  readonly replicas: number;
  readonly traffic: PodMode;
  /** Absent for the edge, whose sets have no rollout of their own. */
  readonly marks?: SetMarks;
  /** When the pods of an edge set left the Service for good. */
  readonly drainingSinceMs?: number;
  /** Set on a write that takes something away: refused when the object is not the one that was looked at. */
  readonly guard?: { readonly uid: string; readonly resourceVersion: string };
};

export function replicaSetFor(cluster: ClusterId, intent: ReplicaSetIntent): Manifest {
  const metadata = metadataFor(cluster, intent.name, intent.component);
  const template = withTraffic(intent.template, intent.traffic);
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      ...metadata,
      labels: { ...metadata.labels, [LABELS.revision]: intent.revision, [LABELS.traffic]: intent.traffic },
      annotations: {
        ...(intent.marks === undefined ? {} : annotationsFor(intent.marks)),
        ...(intent.drainingSinceMs === undefined
          ? {}
          : { [ANNOTATIONS.drainingSince]: timestampOf(intent.drainingSinceMs) }),
        [ANNOTATIONS.image]: intent.image,
        [ANNOTATIONS.rendererVersion]: intent.rendererVersion,
        ...(intent.source === undefined ? {} : { [ANNOTATIONS.source]: intent.source }),
        [ANNOTATIONS.template]: JSON.stringify(intent.template),
      },
      ...intent.guard,
    },
    spec: {
      replicas: intent.replicas,
      selector: {
        matchLabels: {
          ...selectorFor(cluster, intent.component),
          [LABELS.revision]: intent.revision,
          [LABELS.set]: "attached",
        },
      },
      template,
    },
  };
}

function annotationsFor(marks: SetMarks): Record<string, string> {
  return {
    [ANNOTATIONS.role]: marks.role,
    [ANNOTATIONS.step]: marks.step,
    [ANNOTATIONS.color]: marks.color,
    [ANNOTATIONS.attempt]: marks.attempt,
    [ANNOTATIONS.startedAt]: timestampOf(marks.startedAtMs),
    ...(marks.switchedAtMs === undefined ? {} : { [ANNOTATIONS.switchedAt]: timestampOf(marks.switchedAtMs) }),
    ...(marks.movedAtMs === undefined ? {} : { [ANNOTATIONS.movedAt]: timestampOf(marks.movedAtMs) }),
    ...(marks.trial === undefined ? {} : { [ANNOTATIONS.trial]: trialText(marks.trial) }),
    ...(marks.restartedAtMs === undefined ? {} : { [ANNOTATIONS.restartedAt]: timestampOf(marks.restartedAtMs) }),
    ...(marks.aborted === undefined ? {} : { [ANNOTATIONS.aborted]: marks.aborted }),
  };
}

/** RFC 3339 with milliseconds: the settle step measures less than two seconds. */
export function timestampOf(ms: number): string {
  return new Date(ms).toISOString();
}
