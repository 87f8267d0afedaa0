// The canonical projection of the fields that touch pods, and its hash: the revision. What is absent stays absent, so that
// neither a new default nor a new renderer changes a hash. Not here: what the fields become in a pod (decide/children),
// and the table of what a change of each rolls (crds), against which a test holds this.
import { createHash } from "node:crypto";
import { PORTS, type WebSocketClusterSpec } from "@wscluster/crds";

type Projected = Readonly<Record<string, unknown>>;

/**
 * What absence means. A newer CRD may write these into every stored object: that must be the same revision, or the upgrade would roll
 * every fleet (emqx-operator#897). So a default that a CRD gets later has to be what absence has meant before.
 */
const MEANT_BY_ABSENCE = {
  server: {
    port: PORTS.server,
    adminPort: PORTS.serverAdmin,
    path: "/ws",
    imagePullPolicy: "IfNotPresent",
    terminationGracePeriodSeconds: 300,
  },
  auth: { anonymous: false },
  edge: { maxConnections: 9_000, terminationGracePeriodSeconds: 300 },
} as const;

function withoutDefaults(value: object | undefined, defaults: Projected): Projected {
  return Object.fromEntries(Object.entries(value ?? {}).filter(([key, part]) => defaults[key] !== part));
}

/** @param restart the restart that counts now; by default that of the specification */
export function projectServers(
  spec: WebSocketClusterSpec,
  restart: { readonly at: string | undefined } = { at: spec.restartAt },
): Projected {
  return {
    server: withoutDefaults(spec.server, MEANT_BY_ABSENCE.server),
    redis: spec.redis,
    auth: withoutDefaults(spec.auth, MEANT_BY_ABSENCE.auth),
    restartedAt: restart.at,
  };
}

/**
 * The restart that a set is to have behind it: the latest of those that the sets in use have, and of that which is asked for, once its
 * moment has come. So one in the future, an old one, or none rolls nothing back.
 */
export function restartOf(
  restartAt: string | undefined,
  done: readonly (number | undefined)[],
  nowMs: number,
): { readonly at: string | undefined; readonly nextMs: number | undefined } {
  const askedMs = restartAt === undefined ? undefined : Date.parse(restartAt);
  const isDue = askedMs !== undefined && askedMs <= nowMs;
  const known = [...done, isDue ? askedMs : undefined].filter((atMs) => atMs !== undefined);
  return {
    at: known.length === 0 ? undefined : new Date(Math.max(...known)).toISOString(),
    nextMs: askedMs === undefined || Number.isNaN(askedMs) || isDue ? undefined : askedMs,
  };
}

export function projectEdge(spec: WebSocketClusterSpec): Projected {
  const { image, agentImage, resources, maxConnections, terminationGracePeriodSeconds } = spec.edge ?? {};
  const { port, adminPort } = spec.server;
  const edge = { image, agentImage, resources, maxConnections, terminationGracePeriodSeconds };
  return {
    ...withoutDefaults(edge, MEANT_BY_ABSENCE.edge),
    server: withoutDefaults({ port, adminPort }, MEANT_BY_ABSENCE.server),
  };
}

/** Ten letters and digits; equal for equal projections, whatever the order of keys. */
export function revisionOf(projection: Projected): string {
  const text = JSON.stringify(canonical(projection) ?? {});
  return createHash("sha256").update(text).digest("hex").slice(0, 10);
}

/** Keys sorted; undefined, empty maps and empty lists dropped, since the API server may drop or keep them. */
export function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((item) => canonical(item) ?? null);
  if (typeof value !== "object" || value === null) return value ?? undefined;
  const entries = Object.entries(value)
    .map(([key, part]) => [key, canonical(part)] as const)
    .filter(([, part]) => part !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
