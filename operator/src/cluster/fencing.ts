// Claims the fencing epoch of a cluster by compare-and-set, and finds out whether another installation is alive.
// Not here: the rules (moves/fence.ts).
import { ANNOTATIONS } from "@wscluster/crds";
import { type CustomObject, isKubeError, isNotFound, type KubeApi, resources } from "../kube/index.ts";
import { judgeFence, storedFenceOf } from "../moves/fence.ts";
import type { Clock } from "../runtime/index.ts";

/** A lease that has not changed for this long is nobody's: more than any sensible lease lasts. */
const FOREIGN_DEAD_MS = 45_000;

export type FencingOptions = {
  readonly api: KubeApi;
  readonly clock: Clock;
  /** NAMESPACE/LEASE of this installation. */
  readonly installation: string;
  /** Names this term of leadership: no other one ever, of whatever process, has the same. */
  readonly term: string;
};

export type FenceAnswer =
  | { readonly kind: "held"; readonly epoch: number; readonly written?: CustomObject }
  | { readonly kind: "foreign"; readonly installation: string }
  | { readonly kind: "deposed"; readonly epoch: number };

/** State of one term of leadership: a new term begins with a new object and so with a new epoch. */
export class Fencing {
  readonly #options: FencingOptions;
  readonly #epochs = new Map<string, number>();
  readonly #leases = new Map<string, { version: string; sinceMs: number }>();

  constructor(options: FencingOptions) {
    this.#options = options;
  }

  /** Nobody's, or of an installation that is gone: to be claimed before anything is written. */
  isUnclaimed(cluster: CustomObject): boolean {
    return storedFenceOf(cluster.metadata.annotations).installation !== this.#options.installation;
  }

  /** Whether somebody else operates this cluster. Reads their lease, so it asks only when the stored id is not ours. */
  async foreignOf(cluster: CustomObject, signal: AbortSignal): Promise<string | undefined> {
    const stored = storedFenceOf(cluster.metadata.annotations);
    if (stored.installation === undefined || stored.installation === this.#options.installation) return undefined;
    return (await this.#isLive(stored.installation, signal)) ? stored.installation : undefined;
  }

  /**
   * The epoch to act under. Writes the WebSocketCluster when it must be claimed.
   *
   * @param reported highest epochs that the pods report
   * @throws KubeError Conflict when somebody was faster
   */
  async hold(cluster: CustomObject, reported: readonly number[], signal: AbortSignal): Promise<FenceAnswer> {
    const { api, installation, term } = this.#options;
    const { uid } = cluster.metadata;
    const stored = storedFenceOf(cluster.metadata.annotations);
    const isForeignLive = (await this.foreignOf(cluster, signal)) !== undefined;
    const me = { installation, term, epoch: this.#epochs.get(uid) };
    const verdict = judgeFence(stored, me, reported, isForeignLive);
    if (verdict.kind === "held") this.#epochs.set(uid, verdict.epoch);
    if (verdict.kind !== "claim") return verdict;
    const written = await api.patch(
      resources.webSocketClusters,
      { namespace: cluster.metadata.namespace, name: cluster.metadata.name },
      {
        metadata: {
          uid,
          // The compare of compare-and-set.
          resourceVersion: cluster.metadata.resourceVersion,
          annotations: {
            [ANNOTATIONS.epoch]: String(verdict.epoch),
            [ANNOTATIONS.installation]: installation,
            [ANNOTATIONS.term]: term,
          },
        },
      },
      { type: "merge", signal },
    );
    this.#epochs.set(uid, verdict.epoch);
    return { kind: "held", epoch: verdict.epoch, written };
  }

  async #isLive(installation: string, signal: AbortSignal): Promise<boolean> {
    const { api, clock } = this.#options;
    const slash = installation.indexOf("/");
    const ref = { namespace: installation.slice(0, slash), name: installation.slice(slash + 1) };
    try {
      const lease = await api.get(resources.leases, ref, { signal });
      if ((lease.spec?.holderIdentity ?? "") === "") return false;
      const version = lease.metadata.resourceVersion;
      const seen = this.#leases.get(installation);
      if (seen?.version !== version) {
        this.#leases.set(installation, { version, sinceMs: clock.monotonicMs() });
        return true;
      }
      return clock.monotonicMs() - seen.sinceMs < FOREIGN_DEAD_MS;
    } catch (error) {
      if (isNotFound(error)) return false;
      // Not allowed to look: somebody may be there. The user removes the annotation when nobody is.
      if (isKubeError(error, "Forbidden")) return true;
      throw error;
    }
  }
}
