// What one process remembers of a cluster's load between passes, and how it becomes facts. Losing it costs time: votes are counted
// anew, an automatic rebalance ends where it is, and one with an object goes on from what was written.
import { webSocketRebalanceSpec, webSocketRebalanceStatus } from "@wscluster/crds";
import type { CustomObject } from "../kube/index.ts";
import { parseQuantity } from "../kube/quantity.ts";
import {
  advise,
  healthOf,
  memoryAfterPlan,
  NO_MEMORY,
  type PodLimits,
  planOnRequest,
  type Proposal,
  proposalAfterGrants,
  type RebalanceMemory,
  rebalanceSettingsFor,
  relativeLoadsOf,
} from "../rebalance/index.ts";
import { loadSnapshotFor, type LoadSnapshot, type PodIdentity, type PodSignal } from "../signals/index.ts";
import type { GrantReport } from "./cluster-metrics.ts";
import type { BalanceNext } from "./decide/balance/balance.ts";
import { proposalOf } from "./decide/balance/report.ts";
import { hasEdge, liveEdges } from "./decide/edges.ts";
import { isEvacuated } from "./decide/evacuation.ts";
import {
  type BalanceFacts,
  type ClusterFacts,
  freshValue,
  type RebalanceObject,
  type ServerPodFacts,
} from "./facts.ts";

/** Without a limit of its own a pod is taken to be full at these. */
const FULL = { cpuCores: 1, messagesPerSecond: 50_000, responseSeconds: 0.5 } as const;

export type LookInput = {
  readonly facts: ClusterFacts;
  /** Of this cluster, oldest first; undefined while they cannot be read. */
  readonly objects: readonly CustomObject[] | undefined;
  /** By pod uid. */
  readonly signals: ReadonlyMap<string, PodSignal>;
  readonly monotonicMs: number;
};

export class BalanceMemory {
  #memory: RebalanceMemory = NO_MEMORY;
  #proposals = new Map<string, { proposal: Proposal; writtenAtMs: number | undefined }>();
  #automatic: Proposal | undefined;

  /** Undefined where nobody wants to know: then nothing has to be scraped either. */
  look({ facts, objects, signals, monotonicMs }: LookInput): BalanceFacts | undefined {
    const requests = (objects ?? []).flatMap((object) => this.#requestOf(object));
    if (!isMeasured(facts, requests)) {
      this.#memory = NO_MEMORY;
      return undefined;
    }
    const settings = rebalanceSettingsFor(facts.spec.rebalance);
    const pods = facts.pods.map((pod) => identityOf(facts, pod));
    const snapshot = loadSnapshotFor({ nowMs: monotonicMs, pods, signals });
    const { memory, advice } = advise(this.#memory, snapshot, settings);
    this.#memory = memory;
    const { loads, serving } = relativeLoadsOf(snapshot, settings);
    const isAsked = requests.some(({ proposal }) => proposal === undefined || proposal.state === "Proposed");
    return {
      settings,
      // A proposal cannot be made where those that exist are not known.
      advice:
        objects === undefined && advice.kind === "plan" ? { ...advice, kind: "watching", plan: undefined } : advice,
      loads,
      servingPods: serving,
      health: healthBy(facts, snapshot),
      requestPlan: isAsked ? planOnRequest(memory, snapshot, settings) : undefined,
      requests,
      automatic: this.#automatic,
    };
  }

  /** After the actions were done. */
  note(next: BalanceNext, grants: readonly GrantReport[], facts: ClusterFacts, monotonicMs: number): void {
    const sent = grants.flatMap(({ grant, outcome }) =>
      outcome !== "unpaid" && grant.intent.startsWith("rebalance/") ? [grant] : [],
    );
    const before = this.#proposals;
    // Only one runs at a time, so all of the grants are its own.
    const after = (proposal: Proposal): Proposal =>
      proposal.state === "Running" ? proposalAfterGrants(proposal, sent) : proposal;
    this.#proposals = new Map(
      [...next.proposals].map(([uid, { proposal, written }]) => [
        uid,
        { proposal: after(proposal), writtenAtMs: written ? facts.nowMs : before.get(uid)?.writtenAtMs },
      ]),
    );
    this.#automatic = next.automatic === undefined ? undefined : after(next.automatic);
    if (next.ended === undefined || facts.balance === undefined) return;
    const { predictedPercent } = next.ended;
    this.#memory = memoryAfterPlan(this.#memory, monotonicMs, facts.balance.settings, predictedPercent);
  }

  #requestOf(object: CustomObject): RebalanceObject[] {
    const { name, uid, generation = 1, ownerReferences = [], deletionTimestamp } = object.metadata;
    const spec = webSocketRebalanceSpec.safeParse(object.spec);
    if (!spec.success || deletionTimestamp !== undefined) return [];
    const status = webSocketRebalanceStatus.safeParse(object.status ?? {});
    const stored = status.success ? status.data : undefined;
    const mine = this.#proposals.get(uid);
    return [
      {
        name,
        uid,
        generation,
        hasOwner: ownerReferences.some((owner) => owner.controller === true),
        spec: spec.data,
        status: stored,
        proposal: mine?.proposal ?? proposalOf(stored),
        writtenAtMs: mine?.writtenAtMs,
      },
    ];
  }
}

function isMeasured(facts: ClusterFacts, requests: readonly RebalanceObject[]): boolean {
  if (facts.spec.rebalance !== undefined) return true;
  return requests.some(({ proposal }) => proposal === undefined || ["Proposed", "Running"].includes(proposal.state));
}

function identityOf(facts: ClusterFacts, pod: ServerPodFacts): PodIdentity {
  const state = freshValue(pod.state);
  const going = pod.deleting || pod.set === "draining" || isEvacuated(facts, pod) || state?.terminating === true;
  const witnessed = witnessedOf(facts, pod);
  return {
    key: pod.key,
    uid: pod.uid,
    serves: pod.ready && pod.set === "attached" && pod.traffic === "active",
    going,
    ageMs: pod.readySinceMs === undefined ? 0 : Math.max(0, facts.nowMs - pod.readySinceMs),
    capacity: state?.capacity,
    ...(witnessed === undefined ? {} : { witnessed }),
  };
}

/** What the edges count to a pod; undefined where one of them does not say. */
function witnessedOf(facts: ClusterFacts, pod: ServerPodFacts): number | undefined {
  const edges = hasEdge(facts) ? liveEdges(facts) : [];
  if (edges.length === 0) return undefined;
  let sum = 0;
  for (const edge of edges) {
    const state = freshValue(edge.state);
    if (state === undefined) return undefined;
    sum += state.servers[pod.key]?.sessions ?? 0;
  }
  return sum;
}

function healthBy(facts: ClusterFacts, snapshot: LoadSnapshot): BalanceFacts["health"] {
  const { weights } = rebalanceSettingsFor(facts.spec.rebalance);
  const limits = limitsOf(facts);
  return new Map(
    snapshot.pods.filter((pod) => pod.serves).map((pod) => [pod.key, healthOf(pod, limits, weights)] as const),
  );
}

export function amountOf(quantity: string | undefined): number | undefined {
  const nano = quantity === undefined ? undefined : parseQuantity(quantity);
  return nano === undefined ? undefined : Number(nano) / 1e9;
}

function limitsOf({ spec }: ClusterFacts): PodLimits {
  const limits = spec.server.resources?.limits ?? {};
  return {
    cpuCores: amountOf(limits["cpu"]) ?? FULL.cpuCores,
    memoryBytes: amountOf(limits["memory"]),
    messagesPerSecond: FULL.messagesPerSecond,
    responseSeconds: FULL.responseSeconds,
  };
}
