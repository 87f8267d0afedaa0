// Pod contract v1: what the operator needs from a pod, over HTTP on the admin port. A server in any language may implement it.
// Not here: the HMAC itself (platform), since this package also runs in browsers and has no dependency.

import type { Position } from "./frames.ts";

export const CONTRACT_PATHS = {
  livez: "/livez",
  readyz: "/readyz",
  health: "/health",
  metrics: "/metrics",
  state: "/contract/v1/state",
  mode: "/contract/v1/mode",
  grants: "/contract/v1/grants",
  plan: "/contract/v1/plan",
} as const;

/** `active` takes new connections, `preview` only those of the preview Service, `none` only named ones. */
export type PodMode = "active" | "preview" | "none";

/** Why connections leave a pod; lower rank goes first. */
export const INTENT_KINDS = {
  evacuate: { rank: 1 },
  rollback: { rank: 2 },
  edgeDrain: { rank: 3 },
  rollout: { rank: 4 },
  scaleDown: { rank: 5 },
  rebalance: { rank: 6 },
  recycle: { rank: 7 },
} as const;
export type IntentKind = keyof typeof INTENT_KINDS;

/** An intent's id, `KIND/NAME`, for example `rollout/5f6d8c/1/1790000000` (revision, attempt, second of its start). Receipts are kept under it. */
export type IntentId = `${IntentKind}/${string}`;

/** Headers that authenticate a write: see `signedText`. */
export const WRITE_HEADERS = { epoch: "x-wsc-epoch", seq: "x-wsc-seq", signature: "x-wsc-signature" } as const;

export type SignedWrite = {
  readonly method: string;
  readonly path: string;
  /** Lower-case hexadecimal SHA-256 of the body's bytes. */
  readonly bodySha256: string;
  readonly podUid: string;
  readonly bootNonce: string;
  readonly epoch: number;
  readonly seq: number;
};

/** The text under the HMAC-SHA256 of a write. No clock is involved: uid and boot nonce bind it to one life of one pod. */
export function signedText(write: SignedWrite): string {
  return [
    "wscluster-contract-v1",
    write.method.toUpperCase(),
    write.path,
    write.bodySha256,
    write.podUid,
    write.bootNonce,
    String(write.epoch),
    String(write.seq),
  ].join("\n");
}

export type ModeRequest = {
  readonly mode: PodMode;
  /** Sealed = told that it goes: once it is empty it turns itself not-ready. False undoes it. */
  readonly sealed: boolean;
  /**
   * Only with `none`: the hard deadline of a pod that leaves, in ms from this write on (1 to 7 days). Shortly before it the pod asks
   * those who are left by itself, at it it closes them with a window; empty, it seals itself. So it can be evicted in the end, whoever
   * is down. Each write sets it anew; a write without it lifts it.
   */
  readonly deadlineMs?: number;
};

export type GrantTarget = { readonly pod: string; readonly count: number };

/**
 * Permission to move connections. Counts are absolute. Same seq: same answer. Lower seq or epoch: refused (409) and counted.
 * Higher seq replaces the unused rest. No grant, no move.
 */
export type Grant = {
  readonly epoch: number;
  readonly seq: number;
  readonly intent: IntentId;
  /** Most connections to send `migrate` to. */
  readonly count: number;
  /** Spread evenly over this time; what was not sent by its end lapses. */
  readonly windowMs: number;
  readonly targets: readonly GrantTarget[];
  /** Given to each client from its `migrate` on. */
  readonly deadlineMs: number;
  readonly select?: {
    /** Only clients whose routing key lies in this partition. */
    readonly partition?: number;
    /** Only clients with this routing key. */
    readonly key?: string;
    readonly edge?: string;
    /** `idle` first (bulk moves) or a random `sample` (steps that are judged). */
    readonly order?: "idle" | "sample";
  };
};

/** Outcome counts of one intent over all sources, from the shared store. `offered` >= the sum of the others. */
export type Receipts = {
  readonly offered: number;
  readonly moved: number;
  /** Came back by an ordinary resume instead of a finished move. */
  readonly resumed: number;
  /** The client said `migrate.fail`, or the target refused. */
  readonly refused: number;
  /** Passed the deadline; asked again or closed. */
  readonly late: number;
  /** Closed by us with the window because it could not or did not move. */
  readonly cut: number;
  /** Fate not known yet. */
  readonly unknown: number;
};

export const NO_RECEIPTS: Receipts = { offered: 0, moved: 0, resumed: 0, refused: 0, late: 0, cut: 0, unknown: 0 };

/** Each number on its own: a managed store may hide any of them. */
export type StoreSettings = {
  /** `maxmemory-policy`. */
  readonly evictionPolicy?: string | undefined;
  /** Connected replicas of the primary. */
  readonly replicas?: number | undefined;
  readonly minReplicasToWrite?: number | undefined;
};

export type PartitionTable = {
  readonly connections: readonly number[];
  /** The same, each by the weight of its user. */
  readonly weights: readonly number[];
  /** Messages from and publications to clients, since the start. */
  readonly messages: readonly number[];
};

export type ChannelRate = {
  /** TENANT/CHANNEL. */
  readonly channel: string;
  readonly deliveriesPerSecond: number;
};

export type PodState = {
  readonly contract: 1;
  readonly podKey: string;
  readonly bootNonce: string;
  readonly mode: PodMode;
  readonly sealed: boolean;
  readonly terminating: boolean;
  /** Last accepted write. */
  readonly epoch: number;
  readonly seq: number;
  /** Refused writes since the start. */
  readonly refusedWrites: number;
  /** Open sockets that hold a session (sockets in preparation are not counted here). */
  readonly connections: number;
  readonly sessions: { readonly migrate: number; readonly resume: number; readonly plain: number };
  /** Sockets that prepare a move to this pod. */
  readonly preparing: number;
  /** Most connections it takes. */
  readonly capacity: number;
  /** Of these in use: a user may count for several. Absent = `connections`. */
  readonly slots?: number;
  /** By partition of the routing key, `PARTITIONS` entries each. Absent: this server does not count by partition. */
  readonly partitions?: PartitionTable;
  /** The busiest channels, most deliveries first. Absent: this server does not tell. */
  readonly channels?: readonly ChannelRate[];
  /** Connections accepted since the start: by name (`?pod=`) and without. */
  readonly arrivals: { readonly named: number; readonly unnamed: number };
  readonly load: {
    readonly cpu: number;
    readonly rssBytes: number;
    readonly eventLoopLagMs: number;
    readonly messagesInPerSecond: number;
    readonly messagesOutPerSecond: number;
  };
  /** 0 = idle, 1 = cannot take more. */
  readonly pressure: number;
  /** New connections per second that it takes beside its work, as measured. Absent: this server does not tell. */
  readonly admissionPerSecond?: number;
  readonly broker: {
    readonly ok: boolean;
    readonly lastOkAgoMs: number;
    /** Settings of the store that decide what it may lose; absent where it does not tell. */
    readonly store?: StoreSettings | undefined;
  };
  /** Version of the probe that it takes (`probeText`); absent = it knows none. */
  readonly probe?: number | undefined;
  /** Moves under way: asked and not decided. */
  readonly moving: number;
  /** Time left of the deadline in the last mode write; null = there is none. Absent: this server knows no deadlines. */
  readonly deadlineInMs?: number | null;
  /** Totals by intent, of the whole cluster where the store is shared. */
  readonly receipts: Readonly<Record<string, Receipts>>;
  readonly configGeneration: number;
  readonly speaks: { readonly session: number; readonly ticket: number; readonly protocol: number };
};

export type WriteAnswer =
  | { readonly ok: true; readonly epoch: number; readonly seq: number }
  | {
      readonly ok: false;
      readonly code: "stale-epoch" | "stale-seq" | "bad-signature" | "bad-request";
      readonly message: string;
      readonly epoch: number;
      readonly seq: number;
    };

/** Content of a move ticket; signed by the source with the cluster's ticket key. It is void once the session's generation changed. */
export type Ticket = {
  readonly v: 1;
  readonly session: string;
  readonly g: number;
  /** KEY of the target and of the source. */
  readonly to: string;
  readonly from: string;
  readonly intent: IntentId;
  readonly id: string;
};

/** The text under a ticket's HMAC. */
export function ticketText(ticket: Ticket): string {
  return [
    "wscluster-ticket-v1",
    ticket.session,
    String(ticket.g),
    ticket.to,
    ticket.from,
    ticket.intent,
    ticket.id,
  ].join("\n");
}

// ---- synthetic client ---------------------------------------------------------------------------------------------------

export const PROBE_VERSION = 1;
/** Header of the upgrade: NONCE.SIGNATURE, made with the admin key. Each nonce opens one socket of one life of one pod. */
export const PROBE_HEADER = "x-wscluster-probe";
/** Identity that only a probe gets. No token and no anonymous client may name this tenant. */
export const PROBE_IDENTITY = { tenant: "wscluster.probe", user: "operator" } as const;

/** The text under a probe's HMAC-SHA256. No clock: uid, boot nonce and the nonce that is used up make it good for once. */
export function probeText(probe: {
  readonly podUid: string;
  readonly bootNonce: string;
  readonly nonce: string;
}): string {
  return ["wscluster-probe-v1", probe.podUid, probe.bootNonce, probe.nonce].join("\n");
}

// ---- what a move would do -----------------------------------------------------------------------------------------------

/** Question of `POST /contract/v1/plan`, signed like a write; it changes nothing and counts as no write. */
export type MovePlanRequest = { readonly targets: readonly GrantTarget[]; readonly select?: Grant["select"] };

export type PlannedMove = {
  readonly session: string;
  readonly user: string;
  readonly tenant: string;
  readonly can: "migrate" | "resume" | "plain";
  readonly idleMs: number;
  readonly channels: number;
  /** KEY of the pod that it would go to; absent = nobody has room. */
  readonly to?: string;
};

export type MovePlanAnswer = {
  readonly pod: string;
  readonly connections: number;
  /** In the order in which they would be asked; at most `MOST_PLANNED`. */
  readonly moves: readonly PlannedMove[];
};
export const MOST_PLANNED = 10_000;

// ---- edge agent ---------------------------------------------------------------------------------------------------------

export const EDGE_PATHS = {
  livez: "/livez",
  readyz: "/readyz",
  state: "/edge/v1/state",
  /** Answers once the edge pod is empty after its SIGTERM: the proxy's preStop hook waits here. It changes nothing by itself. */
  drained: "/edge/v1/drained",
  metrics: "/metrics",
} as const;

/** `ready` takes unnamed arrivals, `drain` only named ones. */
export type EdgeServerState = "ready" | "drain";

/** A part of the unnamed arrivals that is led to a revision which does not take the rest. */
export type EdgeShare = {
  readonly revision: string;
  /** 1 to 99. */
  readonly percent: number;
};

/** Content of `state.json` in the ConfigMap `NAME-edge`. */
export type EdgeInstructions = {
  /** Rises by one with each change of the rest. */
  readonly generation: number;
  /** Revisions whose attached, ready pods take unnamed arrivals. Empty = nobody does: the agents keep the last answer. */
  readonly takesNew: readonly string[];
  /** Led away from those who take new ones. An agent that does not know this field leads nobody there: the safe reading. */
  readonly share?: EdgeShare;
};

/** Content of `admission.json` in the same ConfigMap: soft, and apart from the generation that is acknowledged. */
export type EdgeAdmissionWish = {
  /** New unnamed connections per second that each edge may let in. */
  readonly perSecond: number;
};

/** New connections through one edge: what may come, what comes (the last second), what is refused (the mean of ten seconds). */
export type EdgeAdmission = {
  readonly limitPerSecond: number;
  readonly admittedPerSecond: number;
  readonly refusedPerSecond: number;
  /** What those who are refused are told: come back within this. 0 = no storm. */
  readonly windowMs: number;
};

export type EdgeState = {
  /** KEY of the edge pod. */
  readonly edge: string;
  /** Generation of the instructions that the proxy follows now. */
  readonly generation: number;
  /** Servers as the proxy has them, by pod KEY. */
  readonly servers: Readonly<
    Record<string, { readonly state: EdgeServerState; readonly address: string; readonly sessions: number }>
  >;
  /** The part that the proxy leads away now; absent also where it cannot. */
  readonly share?: EdgeShare;
  /** The storm brake; absent where no limit is wanted or none can be kept. */
  readonly admission?: EdgeAdmission;
  /** Client connections now. */
  readonly connections: number;
  /** Milliseconds since the agent last heard from the API server. */
  readonly sourceAgeMs: number;
};

/** One line of a recorded position, for tools. */
export type StreamPosition = Position & { readonly stream: string };
