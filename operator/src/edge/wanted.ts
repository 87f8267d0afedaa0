// Who takes new connections: from pods, instructions and what was true before to the servers that the proxy should have. Pure.
import type { EdgeInstructions, EdgeShare } from "@wscluster/protocol";
import type { ServerPod } from "./pods.ts";
import type { WantedServer } from "./reconcile.ts";
import type { ProxyShare } from "./share.ts";

/** What one answer hands to the next; kept in the snapshot. */
export type EdgeMemory = {
  /** Generation that is followed; 0 before the first instructions. */
  readonly generation: number;
  /** Last list that was not empty. */
  readonly takesNew: readonly string[];
  readonly share?: EdgeShare;
  /** KEYs that took new ones by the last answer. */
  readonly readyKeys: readonly string[];
};

export const NO_MEMORY: EdgeMemory = { generation: 0, takesNew: [], readyKeys: [] };

export type WantedEdge = {
  readonly servers: readonly WantedServer[];
  /** Servers that get a part of the unnamed arrivals beside those that are ready; undefined = nobody. */
  readonly share: ProxyShare | undefined;
  readonly memory: EdgeMemory;
  /** Why it does not follow the newest instructions or the pods' readiness, for logs and metrics. */
  readonly held?: "no-instructions" | "nobody-takes-new" | "nobody-is-ready-yet" | "nobody-is-ready-any-more";
};

/**
 * - Empty `takesNew`: the last list stays, the generation is acknowledged (that is what it says).
 * - Missing or broken instructions: the last ones stay.
 * - A list of which no pod is ready, while the last list has ready ones: the last instructions stay and the new generation is *not*
 *   acknowledged. Pods and instructions come by two watches: the second may be ahead of the first.
 * - All who took new ones lost Ready at once: they go on. That is a fault of what judges them (a control plane that lost its nodes),
 *   and sending nobody anywhere helps nobody. The proxy's own checks still find the dead.
 * - A share goes to the ready pods of its revision. Where nobody else is left they take all: better new than nowhere.
 */
export function wantedEdge(
  pods: readonly ServerPod[],
  instructions: EdgeInstructions | undefined,
  before: EdgeMemory,
): WantedEdge {
  const { followed, held: heldBack } = followedInstructions(pods, instructions, before);
  const eligible = eligibleOf(pods, followed.takesNew);
  const ready = eligible.filter((pod) => pod.isReady);
  const lastReady = new Set(before.readyKeys);
  const stays = ready.length > 0 ? [] : eligible.filter((pod) => lastReady.has(pod.key));
  const sharing = eligibleOf(pods, followed.share === undefined ? [] : [followed.share.revision]).filter(
    (pod) => pod.isReady,
  );
  const hasTaker = ready.length + stays.length > 0;
  const taking = new Set((hasTaker ? [...ready, ...stays] : sharing).map((pod) => pod.key));
  const held = heldBack ?? (stays.length > 0 ? "nobody-is-ready-any-more" : undefined);
  return {
    servers: pods.map(({ key, address, port, adminPort }) => ({
      key,
      address,
      port,
      checkPort: adminPort,
      state: taking.has(key) ? "ready" : "drain",
    })),
    share:
      followed.share === undefined || !hasTaker || sharing.length === 0
        ? undefined
        : { percent: followed.share.percent, keys: sharing.map((pod) => pod.key).toSorted() },
    memory: { ...followed, readyKeys: [...taking] },
    ...(held === undefined ? {} : { held }),
  };
}

function followedInstructions(
  pods: readonly ServerPod[],
  instructions: EdgeInstructions | undefined,
  before: EdgeMemory,
): { followed: EdgeInstructions; held?: NonNullable<WantedEdge["held"]> } {
  const last = {
    generation: before.generation,
    takesNew: before.takesNew,
    ...(before.share === undefined ? {} : { share: before.share }),
  };
  if (instructions === undefined) return { followed: last, held: "no-instructions" };
  const { generation, takesNew } = instructions;
  if (takesNew.length === 0) return { followed: { ...last, generation }, held: "nobody-takes-new" };
  if (!hasReady(pods, takesNew) && hasReady(pods, last.takesNew))
    return { followed: last, held: "nobody-is-ready-yet" };
  return { followed: instructions };
}

function eligibleOf(pods: readonly ServerPod[], takesNew: readonly string[]): ServerPod[] {
  return pods.filter((pod) => pod.isEligible && takesNew.includes(pod.revision));
}

function hasReady(pods: readonly ServerPod[], takesNew: readonly string[]): boolean {
  return eligibleOf(pods, takesNew).some((pod) => pod.isReady);
}
