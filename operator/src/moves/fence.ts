// Who may move the connections of a cluster: a fencing epoch and the id of the installation that holds it, kept on the
// WebSocketCluster and written by compare-and-set. Pure. Not here: the write.
import { ANNOTATIONS } from "@wscluster/crds";

export type StoredFence = {
  readonly epoch: number;
  readonly installation: string | undefined;
  /** Whose term of leadership wrote it; undefined where an older version did. */
  readonly term: string | undefined;
};

export function storedFenceOf(annotations: Readonly<Record<string, string>> | undefined): StoredFence {
  const epoch = Number(annotations?.[ANNOTATIONS.epoch] ?? 0);
  return {
    epoch: Number.isSafeInteger(epoch) && epoch >= 0 ? epoch : 0,
    installation: annotations?.[ANNOTATIONS.installation],
    term: annotations?.[ANNOTATIONS.term],
  };
}

/** Above what is stored and above what any pod has accepted: a restored backup must not make pods refuse everything. */
export function nextEpoch(stored: number, reported: readonly number[]): number {
  return 1 + reported.reduce((most, epoch) => Math.max(most, epoch), stored);
}

export type FenceVerdict =
  /** Ours already, in this term of leadership. */
  | { readonly kind: "held"; readonly epoch: number }
  /** Take it: nobody's, ours from an earlier term, or of an installation that is gone. */
  | { readonly kind: "claim"; readonly epoch: number }
  | { readonly kind: "foreign"; readonly installation: string }
  /** A newer leader of our own installation has taken it: this process must not act again in this term. */
  | { readonly kind: "deposed"; readonly epoch: number };

export function judgeFence(
  stored: StoredFence,
  me: { readonly installation: string; readonly term: string; readonly epoch: number | undefined },
  reported: readonly number[],
  isForeignLive: boolean,
): FenceVerdict {
  if (stored.installation !== undefined && stored.installation !== me.installation && isForeignLive) {
    return { kind: "foreign", installation: stored.installation };
  }
  // A claim of which the answer was lost was made all the same: whoever wrote it is known by his term, not by what he remembers.
  const isThisTerm = stored.installation === me.installation && stored.term === me.term;
  const epoch = isThisTerm ? Math.max(stored.epoch, me.epoch ?? 0) : me.epoch;
  const isOurs = stored.installation === me.installation && epoch !== undefined;
  if (isOurs && stored.epoch > epoch) return { kind: "deposed", epoch: stored.epoch };
  // A pod that has seen a higher epoch would refuse ours.
  if (isOurs && stored.epoch === epoch && reported.every((epoch) => epoch <= stored.epoch)) {
    return { kind: "held", epoch: stored.epoch };
  }
  return { kind: "claim", epoch: nextEpoch(Math.max(stored.epoch, epoch ?? 0), reported) };
}
