// Does the store answer? A minority that fails loses new connections by itself; a majority freezes every move. Pure.
import { type ClusterFacts, freshValue } from "../facts.ts";

export type Dependencies = {
  readonly state: "ok" | "down" | "unknown";
  readonly asked: number;
  readonly failing: number;
  readonly silent: number;
};

/** Counts the pods that run: unknown is never zero, and never "fine". */
export function dependenciesOf(facts: Pick<ClusterFacts, "pods">): Dependencies {
  const pods = facts.pods.filter((pod) => pod.running && !pod.deleting && (pod.ready || pod.state.kind === "known"));
  const states = pods.map((pod) => freshValue(pod.state));
  const failing = states.filter((state) => state !== undefined && !state.broker.ok).length;
  const silent = states.filter((state) => state === undefined).length;
  const asked = pods.length;
  const half = asked / 2;
  const state = failing > half ? "down" : asked === 0 || failing + silent > half ? "unknown" : "ok";
  return { state, asked, failing, silent };
}
