// The revisions of a cluster, as its ReplicaSets remember them: `history` and `rollback`. Not here: the flight recorder (record.ts).
import { ANNOTATIONS, LABELS } from "@wscluster/crds";
import { type JsonPatchOperation, type KubeApi, type ReplicaSet, resources } from "../kube/index.ts";
import { type Answer, done, EXIT, refused, tableLines } from "./answers.ts";
import { readCluster, type Target } from "./change.ts";

export type Revision = {
  readonly revision: string;
  readonly color: string;
  readonly image: string;
  readonly role: string;
  readonly step: string;
  readonly attempt: string;
  readonly startedAt: string;
  /** When its connections had left it. */
  readonly leftAt: string;
  readonly pods: number;
  readonly aborted: string | undefined;
  readonly source: string | undefined;
};

/** Newest first. */
export async function readRevisions(api: KubeApi, namespace: string, name: string): Promise<Revision[]> {
  const labelSelector = `${LABELS.cluster}=${name},${LABELS.component}=server`;
  const { items } = await api.list(resources.replicaSets, { namespace, labelSelector });
  return items.map(revisionOf).toSorted((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
}

function revisionOf({ metadata, spec }: ReplicaSet): Revision {
  const annotations = metadata.annotations ?? {};
  return {
    revision: metadata.labels?.[LABELS.revision] ?? metadata.name,
    color: annotations[ANNOTATIONS.color] ?? "-",
    image: annotations[ANNOTATIONS.image] ?? "-",
    role: annotations[ANNOTATIONS.role] ?? "-",
    step: annotations[ANNOTATIONS.step] ?? "-",
    attempt: annotations[ANNOTATIONS.attempt] ?? "-",
    startedAt: annotations[ANNOTATIONS.startedAt] ?? "",
    leftAt: annotations[ANNOTATIONS.movedAt] ?? "",
    pods: spec?.replicas ?? 0,
    aborted: annotations[ANNOTATIONS.aborted],
    source: annotations[ANNOTATIONS.source],
  };
}

export async function history({ api, namespace, name }: Target): Promise<Answer> {
  const revisions = await readRevisions(api, namespace, name);
  if (revisions.length === 0) return refused(`${namespace}/${name} has no revisions`);
  const rows = revisions.map(({ revision, color, image, role, step, attempt, startedAt, pods, aborted }) => [
    attempt,
    revision,
    color,
    image,
    `${role}/${step}`,
    String(pods),
    startedAt.slice(0, 19),
    aborted === undefined ? "" : `aborted: ${aborted}`,
  ]);
  const titles = ["ATTEMPT", "REVISION", "COLOR", "IMAGE", "STATE", "PODS", "STARTED", ""];
  const data = revisions.map(({ source: _source, ...rest }) => rest);
  return { lines: tableLines([titles, ...rows]), data, code: EXIT.done };
}

/** The parts that make a revision; what is absent there is taken away. */
const PARTS = ["server", "redis", "auth"] as const;

/**
 * Puts the specification of an older revision back. Everything else (replicas, pace, windows) stays as it is now.
 *
 * @param named a revision; default: the one that served before
 */
export async function rollback(target: Target, named: string | undefined): Promise<Answer> {
  const { api, namespace, name } = target;
  const [cluster, revisions] = await Promise.all([readCluster(target), readRevisions(api, namespace, name)]);
  const present = revisions.find(({ role }) => role === "candidate") ?? revisions.find(({ role }) => role === "stable");
  const wanted =
    named === undefined ? formerOf(revisions, present) : revisions.find(({ revision }) => revision === named);
  if (wanted === undefined) {
    const known = revisions.map(({ revision }) => revision).join(", ") || "none";
    return refused(
      named === undefined
        ? `${name} has no revision to go back to`
        : `${name} has no revision ${named}; known: ${known}`,
    );
  }
  if (wanted === present) return refused(`${name} is at revision ${wanted.revision} already`);
  const source = partsOf(wanted.source);
  if (source === undefined) {
    return refused(
      `revision ${wanted.revision} was made by an older operator and does not know its specification: set \`server.image\` to ${wanted.image} by hand`,
    );
  }
  const spec = Object(cluster.spec);
  const operations = PARTS.flatMap((part): JsonPatchOperation[] => {
    const value: unknown = source[part];
    const path = `/spec/${part}`;
    if (value !== undefined) return [{ op: "add", path, value }];
    return Object.hasOwn(spec, part) ? [{ op: "remove", path }] : [];
  });
  const { resourceVersion } = cluster.metadata;
  // Whoever changed it meanwhile must not be overwritten.
  const test = { op: "test" as const, path: "/metadata/resourceVersion", value: resourceVersion };
  await api.patch(resources.webSocketClusters, { namespace, name }, [test, ...operations], { type: "json" });
  return done(`${name} goes back to ${wanted.color} ${wanted.revision} with image ${wanted.image}`, {
    revision: wanted.revision,
    image: wanted.image,
  });
}

/** The one that served before: the stable one while another is coming, else the one that left last. */
function formerOf(revisions: readonly Revision[], present: Revision | undefined): Revision | undefined {
  const others = revisions.filter((one) => one !== present && one.aborted === undefined && one.role !== "superseded");
  const stable = others.find(({ role }) => role === "stable");
  return stable ?? others.toSorted((a, b) => (a.leftAt < b.leftAt ? 1 : -1))[0];
}

function partsOf(source: string | undefined): Readonly<Record<string, unknown>> | undefined {
  if (source === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(source);
    return typeof value === "object" && value !== null && "server" in value ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
