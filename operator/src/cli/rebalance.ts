// Commands around rebalances: ask for one, approve one, stop one, list them. The operator plans and moves; this writes and reads the
// WebSocketRebalances that it works from.
import {
  API_VERSION,
  REBALANCE_KIND,
  type WebSocketRebalanceSpec,
  webSocketRebalanceSpec,
  type WebSocketRebalanceStatus,
  webSocketRebalanceStatus,
} from "@wscluster/crds";
import { type CustomObject, resources } from "../kube/index.ts";
import { type Answer, done, EXIT, refused, tableLines } from "./answers.ts";
import { readCluster, type Target } from "./change.ts";

/** @param approved false: it is planned and waits to be approved. */
export async function requestRebalance(target: Target, approved: boolean, now: string): Promise<Answer> {
  const { api, namespace, name: clusterName } = target;
  await readCluster(target);
  const open = (await rebalancesOf(target)).find(({ status }) => isOpen(status));
  if (open !== undefined) {
    const { name } = open.object.metadata;
    return refused(`rebalance ${name} of ${clusterName} is ${open.status.phase ?? "being planned"} already`);
  }
  const name = `${clusterName}-${Math.floor(Date.parse(now) / 1_000).toString(36)}`;
  await api.create(resources.webSocketRebalances, {
    apiVersion: API_VERSION,
    kind: REBALANCE_KIND,
    metadata: { namespace, name },
    spec: { clusterName, ...(approved ? { approved } : {}) },
  });
  const then = approved ? "it runs as soon as it is planned" : `approve it with: wsc rebalance approve ${name}`;
  return done(`rebalance ${name} is asked for; ${then}; see it with: kubectl describe wsr ${name}`, { name, approved });
}

export async function approveRebalance(target: Target): Promise<Answer> {
  const { spec, status } = await readRebalance(target);
  if (!isOpen(status)) return refused(`rebalance ${target.name} is ${status.phase} and cannot be approved any more`);
  if (spec.approved === true) return refused(`rebalance ${target.name} is approved already`);
  await patch(target, { approved: true });
  return done(`approved rebalance ${target.name}: ${costOf(status)}`, { name: target.name });
}

export async function stopRebalance(target: Target): Promise<Answer> {
  const { spec, status } = await readRebalance(target);
  if (!isOpen(status)) return refused(`rebalance ${target.name} is ${status.phase} already`);
  if (spec.stopped === true) return refused(`rebalance ${target.name} is being stopped already`);
  await patch(target, { stopped: true });
  return done(`stopping rebalance ${target.name}: what has moved stays where it is`, { name: target.name });
}

export async function listRebalances(target: Target): Promise<Answer> {
  const all = await rebalancesOf(target);
  if (all.length === 0) {
    return { lines: [`${target.name} has no rebalances`], data: { rebalances: [] }, code: EXIT.done };
  }
  const percent = (share: { readonly imbalancePercent: number } | undefined): string =>
    share === undefined ? "-" : `${share.imbalancePercent} %`;
  const rows = all.map(({ object, status }) => [
    object.metadata.name,
    status.phase ?? "-",
    percent(status.before),
    percent(status.predicted),
    percent(status.after),
    String(status.reconnects ?? "-"),
    String(status.receipts?.moved ?? "-"),
  ]);
  return {
    lines: tableLines([["NAME", "PHASE", "BEFORE", "PREDICTED", "AFTER", "RECONNECTS", "MOVED"], ...rows]),
    data: { rebalances: all.map(({ object, status }) => ({ name: object.metadata.name, ...status })) },
    code: EXIT.done,
  };
}

type Rebalance = { readonly object: CustomObject; readonly status: WebSocketRebalanceStatus };

async function rebalancesOf({ api, namespace, name }: Target): Promise<Rebalance[]> {
  const { items } = await api.list(resources.webSocketRebalances, { namespace });
  return items.flatMap((object) => {
    const spec = webSocketRebalanceSpec.safeParse(object.spec);
    return spec.success && spec.data.clusterName === name ? [{ object, status: statusOf(object) }] : [];
  });
}

async function readRebalance({ api, namespace, name }: Target): Promise<{
  readonly spec: Partial<WebSocketRebalanceSpec>;
  readonly status: WebSocketRebalanceStatus;
}> {
  const object = await api.get(resources.webSocketRebalances, { namespace, name });
  const spec = webSocketRebalanceSpec.safeParse(object.spec);
  return { spec: spec.success ? spec.data : {}, status: statusOf(object) };
}

function statusOf(object: CustomObject): WebSocketRebalanceStatus {
  const status = webSocketRebalanceStatus.safeParse(object.status ?? {});
  return status.success ? status.data : {};
}

function isOpen({ phase }: WebSocketRebalanceStatus): boolean {
  return phase === undefined || phase === "Proposed" || phase === "Running";
}

async function patch({ api, namespace, name }: Target, spec: object): Promise<void> {
  await api.patch(resources.webSocketRebalances, { namespace, name }, { spec }, { type: "merge" });
}

function costOf({ reconnects, estimatedSeconds, before, predicted }: WebSocketRebalanceStatus): string {
  if (reconnects === undefined) return "it is being planned";
  const [from, to] = [before?.imbalancePercent ?? 0, predicted?.imbalancePercent ?? 0];
  return `${reconnects} connections in about ${estimatedSeconds ?? 0} s, imbalance from ${from} % to ${to} %`;
}
