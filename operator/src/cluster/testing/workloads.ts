// The ReplicaSet controller and the kubelet of the small world, with the real order of deletion. Test code only.
import { LABELS } from "@wscluster/crds";
import type { Fleet } from "./fleet.ts";
import type { ObjectTable, Stored } from "./objects.ts";
import { shuffled } from "./random.ts";

export type PodView = {
  readonly object: Stored;
  readonly name: string;
  readonly uid: string;
  readonly labels: Record<string, string>;
  readonly owner: string | undefined;
  readonly node: string | undefined;
  readonly phase: string;
  readonly ready: boolean;
  readonly deleting: boolean;
};

export function podViews(table: ObjectTable): PodView[] {
  return table.list("Pod").map((object) => {
    const spec = record(object["spec"]);
    const status = record(object["status"]);
    const owner = object.metadata.ownerReferences?.find((reference) => reference.controller === true);
    return {
      object,
      name: object.metadata.name,
      uid: object.metadata.uid,
      labels: object.metadata.labels ?? {},
      owner: owner?.uid,
      node: typeof spec["nodeName"] === "string" ? spec["nodeName"] : undefined,
      phase: String(status["phase"] ?? "Pending"),
      ready: status["isReady"] === true,
      deleting: object.metadata.deletionTimestamp !== undefined,
    };
  });
}

/** One round of the ReplicaSet controller: makes and deletes pods, then counts them. */
export function runReplicaSets(table: ObjectTable, fleet: Fleet, random: () => number, nowMs: number): void {
  for (const set of table.list("ReplicaSet")) {
    const spec = record(set["spec"]);
    const wanted = Number(spec["replicas"] ?? 0);
    const template = record(spec["template"]);
    const labels = textRecord(record(template["metadata"])["labels"]);
    const annotations = textRecord(record(template["metadata"])["annotations"]);
    const mine = podViews(table).filter((pod) => pod.owner === set.metadata.uid && !pod.deleting);
    for (let count = mine.length; count < wanted; count++) {
      table.put({
        apiVersion: "v1",
        kind: "Pod",
        metadata: {
          name: `${set.metadata.name}-${table.nextSerial()}`,
          namespace: "apps",
          creationTimestamp: new Date(nowMs).toISOString(),
          labels: { ...labels },
          annotations: { ...annotations },
          ownerReferences: [
            {
              apiVersion: "apps/v1",
              kind: "ReplicaSet",
              name: set.metadata.name,
              uid: set.metadata.uid,
              controller: true,
            },
          ],
        },
        spec: { containers: record(template["spec"])["containers"] },
        status: { phase: "Pending" },
        bornMs: nowMs,
      });
    }
    const victims = shuffled(mine, random)
      .toSorted((a, b) => rankOf(a) - rankOf(b))
      .slice(0, Math.max(0, mine.length - wanted));
    for (const victim of victims) {
      fleet.stop(victim.uid);
      table.remove("Pod", victim.name);
    }
    const count = podViews(table).filter((pod) => pod.owner === set.metadata.uid && !pod.deleting).length;
    // A status write does not change the generation; it changes the version, as in a real cluster.
    const status = { replicas: count, observedGeneration: set.metadata.generation };
    if (JSON.stringify(set["status"]) !== JSON.stringify(status)) table.put({ ...set, status });
  }
}

function rankOf(pod: PodView): number {
  return (pod.node === undefined ? 0 : 100) + (pod.phase === "Pending" ? 0 : 20) + (pod.ready ? 1 : 0);
}

/** A pod that was told to end stays until its server is empty or its time is over, as the kubelet leaves it. */
export const GRACE_MS = 30_000;

export function deletePod(table: ObjectTable, fleet: Fleet, pod: Stored, nowMs: number): void {
  if (pod.metadata.deletionTimestamp !== undefined) return;
  if ((fleet.servers.get(pod.metadata.uid)?.connections ?? 0) === 0) {
    fleet.stop(pod.metadata.uid);
    table.remove("Pod", pod.metadata.name);
    return;
  }
  fleet.terminate(pod.metadata.uid);
  const deletionTimestamp = new Date(nowMs + GRACE_MS).toISOString();
  const deletionGracePeriodSeconds = GRACE_MS / 1_000;
  table.put({ ...pod, metadata: { ...pod.metadata, deletionTimestamp, deletionGracePeriodSeconds } });
}

export function runTerminations(table: ObjectTable, fleet: Fleet, nowMs: number): void {
  for (const { object, name, uid, deleting } of podViews(table)) {
    if (!deleting) continue;
    const sinceMs = nowMs - Date.parse(object.metadata.deletionTimestamp ?? "") + GRACE_MS;
    fleet.drainItself(uid, 5, sinceMs >= GRACE_MS - 5_000);
    if ((fleet.servers.get(uid)?.connections ?? 0) > 0 && sinceMs < GRACE_MS) continue;
    fleet.stop(uid);
    table.remove("Pod", name);
  }
}

/** Scheduler and kubelet: a second to be bound, a second to start, a second to be ready. Images named `bad` never come. */
export function runKubelet(table: ObjectTable, fleet: Fleet, nowMs: number): void {
  for (const pod of podViews(table)) {
    const component = pod.labels[LABELS.component];
    const container = component === "edge" ? "haproxy" : "server";
    if (pod.node === undefined) {
      // Edge pods have a place of their own here: their nodes are not what these stories are about.
      const nodeName = component === "edge" ? "node-e" : emptiestNode(table);
      if (nodeName !== undefined) table.put({ ...pod.object, spec: { ...record(pod.object["spec"]), nodeName } });
      continue;
    }
    if (pod.phase === "Pending") {
      if (isBad(pod.object)) {
        const waiting = { name: container, state: { waiting: { reason: "ErrImagePull" } } };
        const status = { phase: "Pending", podIP: "10.0.0.9", containerStatuses: [waiting] };
        if (JSON.stringify(pod.object["status"]) !== JSON.stringify(status)) table.put({ ...pod.object, status });
        continue;
      }
      if (component === "server") fleet.startServer(pod.uid, pod.labels);
      table.put({ ...pod.object, status: statusOf(container, false, nowMs, pod.uid) });
      continue;
    }
    const ready = component === "edge" ? true : fleet.isReady(pod.uid);
    if (ready !== pod.ready) table.put({ ...pod.object, status: statusOf(container, ready, nowMs, pod.uid) });
  }
}

function emptiestNode(table: ObjectTable): string | undefined {
  const pods = podViews(table);
  const count = (name: string) => pods.filter((pod) => pod.node === name && !pod.deleting).length;
  return table
    .list("Node")
    .filter((node) => record(node["spec"])["unschedulable"] !== true && record(node["spec"])["taints"] === undefined)
    .map((node) => node.metadata.name)
    .toSorted((a, b) => count(a) - count(b) || (a < b ? -1 : 1))[0];
}

/** The eviction API with our PodDisruptionBudgets: one of a set, none of the draining, always who is not ready. */
export function mayEvict(table: ObjectTable, pod: PodView): boolean {
  if (!pod.ready) return true;
  if (pod.labels[LABELS.set] === "draining") return false;
  const set = table.list("ReplicaSet").find((one) => one.metadata.uid === pod.owner);
  const expected = Number(record(set?.["spec"])["replicas"] ?? 0);
  const healthy = podViews(table).filter((one) => one.owner === pod.owner && one.ready && !one.deleting).length;
  return healthy - 1 >= expected - 1;
}

/** Every pod has an address of its own. */
export function addressOf(uid: string): string {
  const number = Number.parseInt(uid.slice(0, 8), 16);
  return `10.0.${(number >> 8) & 255}.${number & 255}`;
}

function statusOf(container: string, ready: boolean, nowMs: number, uid: string) {
  return {
    phase: "Running",
    podIP: addressOf(uid),
    isReady: ready,
    conditions: [
      { type: "Ready", status: ready ? "True" : "False", lastTransitionTime: new Date(nowMs).toISOString() },
    ],
    containerStatuses: [{ name: container, state: { running: {} } }],
  };
}

function isBad(pod: Stored): boolean {
  return JSON.stringify(record(pod["spec"])["containers"]).includes("bad");
}

export function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

export function textRecord(value: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(record(value)).map(([name, text]) => [name, String(text)]));
}
