// `plan-moves POD`: which connections and users of a pod would go where if it had to be left now, without moving anybody. Asked
// through the API server, and with the cluster's admin key: who may read its Secret may see who is connected.
// Not here: the order and the shares, which are the pod's and the move planner's own.
import { LABELS, PORTS } from "@wscluster/crds";
import { sha256Hex, signWrite } from "@wscluster/platform";
import {
  CONTRACT_PATHS,
  MOST_PLANNED,
  type MovePlanAnswer,
  type MovePlanRequest,
  podKey,
  type PodState,
  WRITE_HEADERS,
} from "@wscluster/protocol";
import { z } from "zod";
import { parsePodState } from "../contract/parse-state.ts";
import { type KubeApi, type Pod, resources } from "../kube/index.ts";
import { planGrants, type Target } from "../moves/planner.ts";
import { type Answer, EXIT, tableLines } from "./answers.ts";

export class PlanMovesError extends Error {
  readonly code = "plan-moves";
}

type Api = Pick<KubeApi, "get" | "list" | "getRaw" | "postRaw">;

const ASK_MS = 10_000;

const answerSchema = z.object({
  pod: z.string(),
  connections: z.number(),
  moves: z
    .array(
      z.object({
        session: z.string(),
        user: z.string(),
        tenant: z.string(),
        can: z.enum(["migrate", "resume", "plain"]),
        idleMs: z.number(),
        channels: z.number(),
        to: z.string().optional(),
      }),
    )
    .max(MOST_PLANNED),
});

/** @param limit most rows of the table; the data has all. */
export async function planMovesAnswer(
  of: { readonly api: Api; readonly namespace: string },
  pod: string,
  limit: number,
): Promise<Answer> {
  const plan = await planMoves(of.api, of.namespace, pod);
  return { lines: linesOf(plan, limit), data: plan, code: EXIT.done };
}

type PlannedMoves = {
  readonly pod: string;
  readonly cluster: string;
  readonly connections: number;
  /** Pods that would take them in, by name. */
  readonly targets: readonly { readonly pod: string; readonly count: number }[];
  /** Pods that cannot be asked, and why: nobody would be sent there. */
  readonly unknown: readonly { readonly pod: string; readonly why: string }[];
  /** `to` is a pod's name; absent = there is no room. */
  readonly moves: readonly (Omit<MovePlanAnswer["moves"][number], "to"> & { readonly to?: string })[];
};

async function planMoves(api: Api, namespace: string, name: string): Promise<PlannedMoves> {
  const pod = await api.get(resources.pods, { namespace, name });
  const cluster = pod.metadata.labels?.[LABELS.cluster];
  if (cluster === undefined || pod.metadata.labels?.[LABELS.component] !== "server") {
    throw new PlanMovesError(`cannot plan moves of ${namespace}/${name}: it is no server pod of a WebSocketCluster`);
  }
  const state = await stateOf(api, pod);
  if (typeof state === "string") throw new PlanMovesError(`cannot plan moves of ${namespace}/${name}: ${state}`);
  const others = await othersOf(api, pod, cluster);
  const known = others.flatMap(({ pod: other, state: its }) => (typeof its === "string" ? [] : [{ other, its }]));
  const targets = sharesOf(
    state,
    known.map(({ its }) => its),
  );
  const key = await adminKeyOf(api, namespace, cluster);
  const answer = await askPod(api, pod, state, key, { targets });
  const nameOf = new Map(known.map(({ other, its }) => [its.podKey, other.metadata.name]));
  return {
    pod: name,
    cluster,
    connections: answer.connections,
    targets: targets.map((target) => ({ ...target, pod: nameOf.get(target.pod) ?? target.pod })),
    unknown: others.flatMap(({ pod: other, state: its }) =>
      typeof its === "string" ? [{ pod: other.metadata.name, why: its }] : [],
    ),
    moves: answer.moves.map(({ to, ...move }) => ({
      ...move,
      ...(to === undefined ? {} : { to: nameOf.get(to) ?? to }),
    })),
  };
}

/** The shares that the operator would grant if it might move all at once. */
function sharesOf(state: PodState, others: readonly PodState[]): MovePlanRequest["targets"] {
  const targets = others
    .filter((other) => other.mode === "active" && !other.sealed && !other.terminating)
    .map(({ podKey: key, connections, preparing, capacity }): Target => {
      // Pressure comes and goes and only slows moves down.
      return { key, connections, preparing, capacity, pressure: 0 };
    });
  const donor = {
    key: state.podKey,
    intent: `evacuate/${state.podKey}`,
    connections: state.connections,
    moving: 0,
  } as const;
  const { grants } = planGrants({ donors: [donor], targets, tokens: state.connections, recent: [] });
  return grants[0]?.targets ?? [];
}

async function othersOf(api: Api, pod: Pod, cluster: string): Promise<{ pod: Pod; state: PodState | string }[]> {
  const { namespace = "default", uid } = pod.metadata;
  const labelSelector = `${LABELS.cluster}=${cluster},${LABELS.component}=server,${LABELS.set}=attached`;
  const { items } = await api.list(resources.pods, { namespace, labelSelector });
  const living = items.filter(({ metadata }) => metadata.uid !== uid && metadata.deletionTimestamp === undefined);
  return Promise.all(living.map(async (other) => ({ pod: other, state: await stateOf(api, other) })));
}

function proxyPath(pod: Pod, path: string): string {
  const ports = pod.spec?.containers?.flatMap((container) => container.ports ?? []) ?? [];
  const port = ports.find((one) => one.name === "admin")?.containerPort ?? PORTS.serverAdmin;
  return `/api/v1/namespaces/${pod.metadata.namespace ?? "default"}/pods/${pod.metadata.name}:${port}/proxy${path}`;
}

/** What it says of itself, or why nobody knows. */
async function stateOf(api: Api, pod: Pod): Promise<PodState | string> {
  if (pod.status?.phase !== "Running") return `it is ${pod.status?.phase ?? "Pending"}`;
  try {
    const text = await api.getRaw(proxyPath(pod, CONTRACT_PATHS.state), { timeoutMs: ASK_MS });
    const parsed = parsePodState(JSON.parse(text), podKey(pod.metadata.uid));
    return parsed.ok ? parsed.value : parsed.why;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function adminKeyOf(api: Api, namespace: string, cluster: string): Promise<string> {
  const secret = await api.get(resources.secrets, { namespace, name: `${cluster}-keys` });
  const key = Buffer.from(secret.data?.["admin"] ?? "", "base64")
    .toString("utf8")
    .split(",")[0];
  if (key === undefined || key === "") {
    throw new PlanMovesError(`cannot ask pods of ${namespace}/${cluster}: its Secret ${cluster}-keys has no admin key`);
  }
  return key;
}

async function askPod(
  api: Api,
  pod: Pod,
  state: PodState,
  key: string,
  request: MovePlanRequest,
): Promise<MovePlanAnswer> {
  const path = CONTRACT_PATHS.plan;
  const signature = signWrite(key, {
    method: "POST",
    path,
    bodySha256: sha256Hex(JSON.stringify(request)),
    podUid: pod.metadata.uid,
    bootNonce: state.bootNonce,
    epoch: 0,
    seq: 0,
  });
  const headers = { [WRITE_HEADERS.epoch]: "0", [WRITE_HEADERS.seq]: "0", [WRITE_HEADERS.signature]: signature };
  const text = await api.postRaw(proxyPath(pod, path), request, headers, { timeoutMs: ASK_MS });
  const { moves, ...rest } = answerSchema.parse(JSON.parse(text));
  return { ...rest, moves: moves.map(({ to, ...move }) => ({ ...move, ...(to === undefined ? {} : { to }) })) };
}

const SEES = {
  migrate: "moves without a break",
  resume: "resumes after a reconnect",
  plain: "sees a reconnect",
} as const;

function linesOf(plan: PlannedMoves, limit: number): string[] {
  const { pod, connections, targets, unknown, moves } = plan;
  const placed = targets.reduce((sum, { count }) => sum + count, 0);
  const count = (can: keyof typeof SEES): number => moves.filter((move) => move.can === can).length;
  const where = targets.map((target) => `${target.count} to ${target.pod}`).join(", ");
  const rows = moves
    .slice(0, limit)
    .map(({ user, tenant, session, can, idleMs, channels, to }) => [
      user,
      tenant,
      session,
      SEES[can],
      `${Math.round(idleMs / 1_000)} s`,
      String(channels),
      to ?? "nowhere: no room",
    ]);
  const table = [["USER", "TENANT", "SESSION", "CLIENT", "IDLE", "CHANNELS", "TO"], ...rows];
  return [
    `${pod}: ${connections} connections; ${where === "" ? "nobody would take one" : where}`,
    `${count("migrate")} move without a break, ${count("resume")} resume after a reconnect, ${count("plain")} see a reconnect`,
    ...(placed < connections ? [`${connections - placed} would find no room`] : []),
    ...unknown.map(({ pod: other, why }) => `${other} cannot be asked and would get none: ${why}`),
    ...(rows.length === 0 ? [] : tableLines(table)),
    ...(moves.length > rows.length ? [`... and ${moves.length - rows.length} more (--limit, --json)`] : []),
  ];
}
