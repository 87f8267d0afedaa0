// The servers' live configuration: a ConfigMap with a generation that pods report back. No change here restarts a pod.
import { childNames } from "@wscluster/crds";
import type { Manifest } from "../../../kube/index.ts";
import type { ClusterFacts } from "../../facts.ts";
import { metadataFor } from "./labels.ts";

/** The body without its generation; absent fields stay absent, the server has the defaults. */
export function liveConfigBodyFor(facts: Pick<ClusterFacts, "spec">): string {
  const { connections, history, ...rest } = facts.spec.config ?? {};
  return JSON.stringify({ connections: connections ?? {}, history: history ?? {}, ...rest });
}

export function liveConfigFor(facts: Pick<ClusterFacts, "cluster" | "spec" | "config">): Manifest {
  const body = liveConfigBodyFor(facts);
  const stored = facts.config;
  const generation = stored === undefined ? 1 : stored.body === body ? stored.generation : stored.generation + 1;
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: metadataFor(facts.cluster, childNames(facts.cluster.name).config, "server"),
    data: { "config.json": `{"generation":${generation},${body.slice(1)}` },
  };
}

/** Splits what `liveConfigFor` wrote; undefined when somebody else wrote it. */
export function parseLiveConfig(text: string): { generation: number; body: string } | undefined {
  const match = /^\{"generation":(\d+),(.*)$/s.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { generation: Number(match[1]), body: `{${match[2]}` };
}
