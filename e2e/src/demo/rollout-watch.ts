// Follows one rollout from the image change to its end and shows it; returns when the operator calls it complete.
import type { Chat } from "../product/chat.ts";
import { imageOf, keyOf } from "../product/chat.ts";
import { isReady, type PodObject } from "../product/objects.ts";
import { pause } from "../product/wait.ts";
import type { Load } from "../load/load.ts";
import type { Screen } from "./screen.ts";
import type { RolloutView } from "./view.ts";

/** Each tick asks kubectl twice, on the machine that carries the load. */
const TICK_MS = 1_000;
const RATE_OVER_MS = 3_000;
/** Two full sets of pods, their verification and the moves fit in it; a rollout that hangs is shown, not waited for. */
const TIMEOUT_MS = 300_000;

export type WatchedRollout = { readonly isComplete: boolean };

function stateOf(pod: PodObject): string {
  if (pod.metadata.deletionTimestamp !== undefined) return "Terminating";
  return isReady(pod) ? "Ready" : pod.status.phase;
}

export async function watchRollout(
  chat: Chat,
  load: Load,
  image: string,
  screen: Screen,
  signal: AbortSignal,
): Promise<WatchedRollout> {
  const begin = performance.now();
  const history: { readonly at: number; readonly moved: number }[] = [];
  let isWatching = false;
  let view: RolloutView | undefined;
  for (;;) {
    const elapsedMs = performance.now() - begin;
    const [object, pods] = await Promise.all([chat.object(), chat.pods("server")]);
    const stats = load.stats;
    const moved = stats?.moved ?? 0;
    history.push({ at: elapsedMs, moved });
    const earlier = history.findLast((entry) => entry.at <= elapsedMs - RATE_OVER_MS) ?? { at: 0, moved: 0 };
    const overMs = Math.max(TICK_MS, elapsedMs - earlier.at);
    const rollout = object.status?.rollout;
    view = {
      elapsedMs,
      phase: [rollout?.phase, rollout?.waiting?.message].filter((text) => text).join(": "),
      pods: pods.map((pod) => ({
        name: pod.metadata.name,
        isNew: imageOf(pod) === image,
        state: stateOf(pod),
        connections: stats?.pods.get(keyOf(pod)) ?? 0,
      })),
      clients: stats?.clients ?? 0,
      moved,
      perSecond: Math.round(((moved - earlier.moved) * 1_000) / overMs),
      resumed: stats?.resumed ?? 0,
      cut: stats?.cut ?? 0,
      maxGapMs: stats?.maxGapMs ?? 0,
      faults: stats?.faults ?? 0,
      delivered: stats?.delivered ?? 0,
    };
    screen.show(view);
    if (moved > 0 && !isWatching) {
      // From the first move on new connections go to the new set: these readers never have to move.
      isWatching = true;
      await load.joinWitnesses();
    }
    const isStable = object.status?.sets?.some((set) => set.image === image && set.role === "stable") ?? false;
    const isOldGone = pods.every((pod) => imageOf(pod) === image);
    const isLate = elapsedMs > TIMEOUT_MS;
    if ((isStable && isOldGone) || isLate) {
      screen.close(view);
      return { isComplete: isStable };
    }
    await pause(TICK_MS, signal);
  }
}
