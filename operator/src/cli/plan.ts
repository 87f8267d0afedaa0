// `plan`: what the operator would do now, without doing it. Reads the cluster once, asks no pod: their state is unknown to it,
// so what depends on connections is shown as waiting. Not here: the decision.
import { LABELS, rollsByField } from "@wscluster/crds";
import { decide } from "../cluster/decide/index.ts";
import type { OperatorDefaults } from "../cluster/facts.ts";
import { ClusterMemory } from "../cluster/memory.ts";
import { observe } from "../cluster/observe.ts";
import type { Action } from "../cluster/plan.ts";
import { paceLimitsOf } from "../moves/limits.ts";
import {
  type CustomObject,
  decideApply,
  type KubeApi,
  resourceFor,
  resources,
  withAppliedHash,
} from "../kube/index.ts";

export type PlanOptions = {
  readonly api: KubeApi;
  readonly namespace: string;
  readonly name: string;
  /** Look at this specification instead of the stored one. */
  readonly spec?: unknown;
  readonly defaults: OperatorDefaults;
  readonly nowMs: number;
};

/** Lines for people. */
export async function planLines(options: PlanOptions): Promise<string[]> {
  const { api, namespace, name, defaults, nowMs } = options;
  const live = await api.get(resources.webSocketClusters, { namespace, name });
  const cluster: CustomObject = options.spec === undefined ? live : { ...live, spec: options.spec };
  const of = { namespace, labelSelector: `${LABELS.cluster}=${name}` };
  const [replicaSets, pods, configMaps, budgets, keys] = await Promise.all([
    api.list(resources.replicaSets, of),
    api.list(resources.pods, of),
    api.list(resources.configMaps, of),
    api.list(resources.podDisruptionBudgets, of),
    api.find(resources.secrets, { namespace, name: `${name}-keys` }),
  ]);
  // Reading nodes is a right of its own; without it a plan leaves them out.
  const nodes = await api.list(resources.nodes, {}).catch(() => undefined);
  const unknown = { kind: "unknown", why: "`plan` asks no pod" } as const;
  const observed = observe({
    nowMs,
    cluster,
    replicaSets: replicaSets.items,
    pods: pods.items,
    configMaps: configMaps.items,
    budgets: budgets.items,
    keysExist: keys !== undefined,
    podState: () => unknown,
    edgeState: () => unknown,
    arrivals: () => undefined,
    nodes: nodes?.items,
    memory: new ClusterMemory(nowMs).facts(nowMs, paceLimitsOf(undefined)),
    defaults,
  });
  if (observed.kind === "invalid") return [observed.message];
  const { facts } = observed;
  const plan = decide(facts);
  const effective: string[] = [];
  for (const action of plan.actions) {
    const line = await lineFor(action, api, namespace);
    if (line !== undefined) effective.push(line);
  }
  const isNew = !facts.sets.some((set) => set.revision === facts.wanted.servers);
  return [
    `revision of the servers: ${facts.wanted.servers}${isNew ? " (new: rolls the servers)" : ""}`,
    `revision of the edge: ${facts.wanted.edge}`,
    ...plan.events.map((event) => `event ${event.reason}: ${event.message}`),
    ...(effective.length === 0 ? ["nothing to write"] : effective.map((line) => `would ${line}`)),
    ...plan.notes.map((note) => `note: ${note}`),
    "how a change of each field reaches running pods:",
    ...Object.entries(rollsByField).map(([field, reach]) => `  ${field}: ${reach}`),
  ];
}

async function lineFor(action: Action, api: KubeApi, namespace: string): Promise<string | undefined> {
  switch (action.kind) {
    case "apply": {
      const { manifest } = action;
      const resource = resourceFor(manifest);
      if (resource === undefined) return undefined;
      const live = await api.find(resource, { namespace, name: manifest.metadata.name });
      const decision = decideApply(withAppliedHash(manifest), live);
      if (!decision.send) return undefined;
      const what = decision.differences.map(({ path }) => path).join(", ");
      return `apply ${manifest.kind} ${manifest.metadata.name}: ${decision.because}${what === "" ? "" : ` (${what})`}`;
    }
    case "createKeys":
      return `create Secret ${action.name}`;
    case "patchPod":
      return `patch pod ${action.pod}: ${action.why}`;
    case "delete":
      return `delete ${action.resource} ${action.name}`;
    case "rebalanceStatus":
      return `report on WebSocketRebalance ${action.name}`;
    case "adoptRebalance":
      return `make WebSocketRebalance ${action.name} a child of the cluster`;
    case "mode":
      return `tell pod ${action.pod}: ${JSON.stringify(action.request)}`;
    case "grants":
      return `grant ${action.grants.map((grant) => `${grant.source}: ${grant.count}`).join(", ")}`;
  }
}
