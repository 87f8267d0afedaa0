// `record`: the flight recorder of an attempt, as it lies in its ConfigMap. Not here: who writes it (cluster/recorder.ts).
import { LABELS } from "@wscluster/crds";
import { RECORD_COMPONENT, RECORD_KEYS } from "../cluster/recording.ts";
import { resources } from "../kube/index.ts";
import { type Answer, EXIT, refused } from "./answers.ts";
import type { Target } from "./change.ts";

/** @param named REVISION/N; default the last attempt */
export async function record({ api, namespace, name }: Target, named: string | undefined): Promise<Answer> {
  const labelSelector = `${LABELS.cluster}=${name},${LABELS.component}=${RECORD_COMPONENT}`;
  const { items } = await api.list(resources.configMaps, { namespace, labelSelector });
  const records = items
    .map(({ data = {} }) => ({
      attempt: data[RECORD_KEYS.attempt] ?? "",
      startedAt: data[RECORD_KEYS.startedAt] ?? "",
      lines: (data[RECORD_KEYS.lines] ?? "").split("\n").filter((line) => line !== ""),
    }))
    .toSorted((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
  const found = named === undefined ? records[0] : records.find(({ attempt }) => attempt === named);
  if (found !== undefined) {
    return { lines: [`attempt ${found.attempt}`, ...found.lines], data: found, code: EXIT.done };
  }
  const known = records.map(({ attempt }) => attempt).join(", ") || "none";
  return refused(named === undefined ? `${name} has no records` : `${name} has no record of ${named}; known: ${known}`);
}
