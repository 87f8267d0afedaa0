// Which pods, partitions and channels are hot, and which pods cold. Pure: last tracks and a snapshot in, tracks out.
// Not here: what is done about it (planner.ts).
import type { LoadSnapshot, PodLoad } from "../signals/snapshot.ts";
import { slicesOf, type RelativeLoads } from "./load.ts";
import type { RebalanceSettings } from "./settings.ts";
import { nextVotes, smoothedOf, WINDOW, type VoteTrack } from "./votes.ts";

export type HeatTracks = {
  /**
   * By pod key: last numbers of its load over its connections, both relative to the mean. Connections are exact and change
   * at once; what one of them costs is noisy and changes slowly. So only this is smoothed for plans.
   */
  readonly weights: ReadonlyMap<string, readonly number[]>;
  /** By pod key: its load over the mean. */
  readonly hot: ReadonlyMap<string, VoteTrack>;
  /** By pod key: how much its load is below the mean, as 2 - load, so that high means cold. */
  readonly cold: ReadonlyMap<string, VoteTrack>;
  /** By `POD/PARTITION`: load of the partition on this pod over the load of a mean pod. */
  readonly partitions: ReadonlyMap<string, VoteTrack>;
  /** By `POD/CHANNEL`: deliveries of the channel on this pod over all messages of a mean pod. */
  readonly channels: ReadonlyMap<string, VoteTrack>;
};

export const NO_TRACKS: HeatTracks = {
  weights: new Map(),
  hot: new Map(),
  cold: new Map(),
  partitions: new Map(),
  channels: new Map(),
};

/** One partition or channel that alone is this much of what a mean pod carries is worth a word. */
const HOT_SHARE = 0.3;
/** Subjects below this are not followed: a fleet has 128 partitions a pod. */
const FOLLOWED_SHARE = 0.5 * HOT_SHARE;
/** With fewer connections, percent of the mean, the process itself outweighs them: they are taken for average ones. */
const LEAST_CONNECTIONS_SHARE = 0.1;

export function nextHeat(
  before: HeatTracks,
  snapshot: LoadSnapshot,
  relative: RelativeLoads,
  settings: RebalanceSettings,
): HeatTracks {
  const { atMs, pods } = snapshot;
  const limit = settings.maxImbalancePercent / 100;
  const podRules = { enterAbove: 1 + limit, exitBelow: 1 + limit / 2, cooldownMs: 0 };
  const shareRules = { enterAbove: HOT_SHARE, exitBelow: HOT_SHARE / 2, cooldownMs: settings.cooldownMs };
  const weights = new Map<string, readonly number[]>();
  const hot = new Map<string, VoteTrack>();
  const cold = new Map<string, VoteTrack>();
  const partitions = new Map<string, VoteTrack>();
  const channels = new Map<string, VoteTrack>();
  const meanMessages = meanMessagesOf(pods);
  for (const pod of pods) {
    if (!pod.serves || pod.going) continue;
    const load = relative.loads.get(pod.key);
    const numbers = before.weights.get(pod.key) ?? [];
    weights.set(pod.key, load === undefined ? numbers : [...numbers, weightOf(pod, load, relative)].slice(-WINDOW));
    hot.set(pod.key, nextVotes(before.hot.get(pod.key), load, atMs, podRules, pod.ageMs >= settings.minAgeMs));
    const gap = load === undefined ? undefined : 2 - load;
    cold.set(pod.key, nextVotes(before.cold.get(pod.key), gap, atMs, podRules, pod.ageMs >= settings.warmAgeMs));
    const mayVote = pod.ageMs >= settings.minAgeMs;
    const next = (track: VoteTrack | undefined, share: number) => nextVotes(track, share, atMs, shareRules, mayVote);
    follow(partitions, before.partitions, pod.key, partitionShares(pod, load, relative, settings), next);
    follow(channels, before.channels, pod.key, channelShares(pod, meanMessages), next);
  }
  return { weights, hot, cold, partitions, channels };
}

function weightOf(pod: PodLoad, load: number, { meanConnections }: RelativeLoads): number {
  const connections =
    pod.connections.kind === "known" && meanConnections > 0 ? pod.connections.value / meanConnections : 0;
  return connections < LEAST_CONNECTIONS_SHARE ? 1 : load / connections;
}

/** Loads of the pods that are known now and have been long enough; mean 1. */
export function smoothedLoads(
  { weights }: HeatTracks,
  snapshot: LoadSnapshot,
  relative: RelativeLoads,
): ReadonlyMap<string, number> {
  const loads = new Map<string, number>();
  for (const { key, connections } of snapshot.pods) {
    const weight = smoothedOf(weights.get(key) ?? []);
    if (weight === undefined || connections.kind === "unknown" || !relative.loads.has(key)) continue;
    loads.set(key, (weight * connections.value) / Math.max(1, relative.meanConnections));
  }
  const mean = [...loads.values()].reduce((sum, load) => sum + load, 0) / Math.max(1, loads.size);
  return mean > 0 ? new Map([...loads].map(([key, load]) => [key, load / mean])) : new Map();
}

/** Subjects that are big now, and those that were and may be leaving. */
function follow(
  into: Map<string, VoteTrack>,
  before: ReadonlyMap<string, VoteTrack>,
  pod: string,
  shares: readonly (readonly [string | number, number])[],
  next: (before: VoteTrack | undefined, share: number) => VoteTrack,
): void {
  for (const [subject, share] of shares) {
    if (share < FOLLOWED_SHARE && before.size === 0) continue;
    const key = `${pod}/${subject}`;
    const track = before.get(key);
    if (share >= FOLLOWED_SHARE || track !== undefined) into.set(key, next(track, share));
  }
}

function partitionShares(
  pod: PodLoad,
  load: number | undefined,
  relative: RelativeLoads,
  settings: RebalanceSettings,
): readonly (readonly [number, number])[] {
  if (load === undefined) return [];
  return slicesOf(pod, load, relative.measures, settings.weights).flatMap((slice) =>
    slice.partition === undefined ? [] : [[slice.partition, slice.load] as const],
  );
}

function channelShares(pod: PodLoad, meanMessages: number): readonly (readonly [string, number])[] {
  if (pod.channels.kind === "unknown" || !(meanMessages > 0)) return [];
  return pod.channels.value.map((one) => [one.channel, one.deliveriesPerSecond / meanMessages]);
}

function meanMessagesOf(pods: readonly PodLoad[]): number {
  const rates = pods.flatMap((one) => (one.messagesPerSecond.kind === "known" ? [one.messagesPerSecond.value] : []));
  return rates.toSorted((a, b) => a - b).reduce((sum, rate) => sum + rate, 0) / Math.max(1, rates.length);
}

/** Keys of the subjects that are high now, in order. */
export function highOf(tracks: ReadonlyMap<string, VoteTrack>): readonly string[] {
  return [...tracks].flatMap(([key, track]) => (track.isHigh ? [key] : [])).toSorted();
}
