// Commands that change a WebSocketCluster: each reads it, judges whether the change makes sense now, and writes the one field.
// Not here: words and flags (wsc-program.ts), the way back (rollback.ts).
import { webSocketClusterSpec, webSocketClusterStatus, type WebSocketClusterStatus } from "@wscluster/crds";
import { MOVES_PAUSED_KEY } from "../cluster/switches.ts";
import { type CustomObject, isNotFound, type KubeApi, resources } from "../kube/index.ts";
import { type Answer, done, refused } from "./answers.ts";

export type Target = { readonly api: KubeApi; readonly namespace: string; readonly name: string };

export type PauseScope = "moves" | "rollout" | "all";

export function readCluster({ api, namespace, name }: Target): Promise<CustomObject> {
  return api.get(resources.webSocketClusters, { namespace, name });
}

function statusOf(cluster: CustomObject): WebSocketClusterStatus {
  const parsed = webSocketClusterStatus.safeParse(cluster.status ?? {});
  return parsed.success ? parsed.data : {};
}

async function patchSpec({ api, namespace, name }: Target, spec: object): Promise<void> {
  await api.patch(resources.webSocketClusters, { namespace, name }, { spec }, { type: "merge" });
}

/** The attempt that runs, or why there is none to speak of. */
function attemptOf(cluster: CustomObject, named: string | undefined): { attempt: string } | { why: string } {
  const { rollout } = statusOf(cluster);
  const { name } = cluster.metadata;
  if (rollout === undefined || rollout.phase === "complete" || rollout.phase === "aborted") {
    return { why: `no rollout of ${name} is running` };
  }
  if (named !== undefined && named !== rollout.attempt) {
    return { why: `attempt ${named} is not the one that runs: that is ${rollout.attempt}` };
  }
  return { attempt: rollout.attempt };
}

/** @param named only this attempt; default the one that runs */
export async function approve(target: Target, named: string | undefined): Promise<Answer> {
  const cluster = await readCluster(target);
  const found = attemptOf(cluster, named);
  if ("why" in found) return refused(found.why);
  const { attempt } = found;
  if (rolloutOf(cluster)?.approvedAttempt === attempt) return refused(`attempt ${attempt} is approved already`);
  // It names the attempt: should a newer one have begun meanwhile, this does nothing.
  await patchSpec(target, { rollout: { approvedAttempt: attempt } });
  return done(`approved attempt ${attempt}`, { attempt });
}

export async function abort(target: Target, named: string | undefined): Promise<Answer> {
  const cluster = await readCluster(target);
  const found = attemptOf(cluster, named);
  if ("why" in found) return refused(found.why);
  const { attempt } = found;
  await patchSpec(target, { rollout: { abortedAttempt: attempt } });
  return done(`aborting attempt ${attempt}: its connections go back`, { attempt });
}

const PAUSE_TEXT = {
  moves: { on: "no connection is moved any more", off: "connections may be moved again" },
  rollout: { on: "the rollout stays where it is", off: "the rollout goes on" },
  all: { on: "nothing is reconciled any more; the fleet goes on serving", off: "it is reconciled again" },
} as const;

export async function setPaused(target: Target, scope: PauseScope, paused: boolean): Promise<Answer> {
  const cluster = await readCluster(target);
  const parsed = webSocketClusterSpec.safeParse(cluster.spec);
  const { moves, rollout, paused: all } = parsed.success ? parsed.data : {};
  const is = { moves: moves?.paused, rollout: rollout?.paused, all }[scope] ?? false;
  const text = `${target.name}: ${PAUSE_TEXT[scope][paused ? "on" : "off"]}`;
  if (is === paused) return refused(`${text}: that is so already`);
  // False is said, not left out: an older `true` must not come back with the next apply of somebody's file unseen.
  await patchSpec(target, scope === "all" ? { paused } : { [scope]: { paused } });
  return done(text, { scope, paused });
}

/** The kill switch of the whole operator. */
export async function setOperatorPaused(
  api: KubeApi,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  paused: boolean,
): Promise<Answer> {
  const data = { [MOVES_PAUSED_KEY]: String(paused) };
  try {
    await api.patch(resources.configMaps, { namespace, name }, { data }, { type: "merge" });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    if (!paused) return refused(`ConfigMap ${namespace}/${name} does not exist: no move is stopped by it`);
    await api.create(resources.configMaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace, name },
      data,
    });
  }
  return done(paused ? "no connection of any cluster is moved any more" : "connections may be moved again", { paused });
}

/** @param at RFC 3339 */
export async function restart(target: Target, at: string): Promise<Answer> {
  if (Number.isNaN(Date.parse(at))) return refused(`${at} is no time as in 2030-01-31T02:00:00Z`);
  await patchSpec(target, { restartAt: new Date(at).toISOString() });
  return done(`${target.name}: the servers restart from ${at} on, one set after the other`, { restartAt: at });
}

function rolloutOf(cluster: CustomObject) {
  const parsed = webSocketClusterSpec.safeParse(cluster.spec);
  return parsed.success ? parsed.data.rollout : undefined;
}
