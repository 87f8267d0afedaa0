// `status`: the fleets as one table and the story of one fleet. Reads the resource only. Pure but for the read.
import { webSocketClusterStatus, type WebSocketClusterStatus } from "@wscluster/crds";
import { type Answer, EXIT, tableLines } from "./answers.ts";
import { podLines, readPods } from "./pods.ts";
import { type CustomObject, type KubeApi, resources } from "../kube/index.ts";

export type StatusOptions = { readonly api: KubeApi; readonly namespace?: string; readonly name?: string };

export async function statusLines({ api, namespace, name }: StatusOptions): Promise<string[]> {
  if (name === undefined) {
    const list = await api.list(resources.webSocketClusters, namespace === undefined ? {} : { namespace });
    return tableOf(list.items);
  }
  const cluster = await api.get(resources.webSocketClusters, { namespace: namespace ?? "default", name });
  return storyOf(cluster);
}

/** The same with its pods, for people and for tools. */
export async function statusAnswer(options: StatusOptions & { readonly askPods: boolean }): Promise<Answer> {
  const { api, namespace, name } = options;
  if (name === undefined) {
    const { items } = await api.list(resources.webSocketClusters, namespace === undefined ? {} : { namespace });
    const data = items.map((cluster) => ({
      namespace: cluster.metadata.namespace,
      name: cluster.metadata.name,
      status: cluster.status ?? {},
    }));
    const lines = items.length === 0 ? ["there is no WebSocketCluster here"] : tableOf(items);
    return { lines, data, code: EXIT.done };
  }
  const of = namespace ?? "default";
  const cluster = await api.get(resources.webSocketClusters, { namespace: of, name });
  const pods = options.askPods ? await readPods(api, of, name) : [];
  return {
    lines: [...storyOf(cluster), ...podLines(pods).map((line) => `  ${line}`)],
    data: { namespace: of, name, status: cluster.status ?? {}, ...(options.askPods ? { pods } : {}) },
    code: EXIT.done,
  };
}

function statusOf(cluster: CustomObject): WebSocketClusterStatus {
  const parsed = webSocketClusterStatus.safeParse(cluster.status ?? {});
  return parsed.success ? parsed.data : {};
}

export function tableOf(clusters: readonly CustomObject[]): string[] {
  const rows = clusters.map((cluster) => {
    const { ready = "-", active = "-", candidate = "-", connections = 0, moving = "-" } = statusOf(cluster);
    const { namespace = "", name } = cluster.metadata;
    return [namespace, name, ready, active, candidate, String(connections), moving];
  });
  const all = [["NAMESPACE", "NAME", "READY", "ACTIVE", "CANDIDATE", "CONNECTIONS", "MOVING"], ...rows];
  return tableLines(all);
}

export function storyOf(cluster: CustomObject): string[] {
  const status = statusOf(cluster);
  const lines = [`${cluster.metadata.namespace ?? ""}/${cluster.metadata.name}`];
  for (const { type, status: value, reason, message } of status.conditions ?? []) {
    lines.push(`  ${type}=${value} (${reason}): ${message}`);
  }
  for (const set of status.sets ?? []) {
    const held = set.connections === undefined ? "unknown" : String(set.connections);
    lines.push(
      `  ${set.color} ${set.revision} ${set.role}: ${set.ready}/${set.replicas} ready, ${held} connections, ${set.image}`,
    );
  }
  const { rollout } = status;
  if (rollout !== undefined) {
    const { attempt, phase, percentMoved, moved, resumed, cut, connectionsLeft, etaSeconds } = rollout;
    const eta = etaSeconds === undefined ? "" : `, about ${etaSeconds} s`;
    lines.push(
      `  attempt ${attempt} ${phase}: ${percentMoved} % (${moved} moved, ${resumed} resumed, ${cut} cut), ${connectionsLeft} left${eta}`,
    );
  }
  return lines;
}
