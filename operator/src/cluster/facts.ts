// What a decision may know: plain, frozen data with the freshness of each source. Built by observe.ts; read by decide/.
// Not here: how the facts are gathered.
import type {
  PreflightStatus,
  WebSocketClusterSpec,
  WebSocketClusterStatus,
  WebSocketRebalanceSpec,
  WebSocketRebalanceStatus,
} from "@wscluster/crds";
import type { EdgeInstructions, EdgeState, PodMode, PodState } from "@wscluster/protocol";
import type { SentGrant } from "../moves/limits.ts";
import type { Advice, PodHealth, Proposal, RebalancePlan, RebalanceSettings } from "../rebalance/index.ts";

/** What a process said of itself over HTTP. Unknown is never zero: nobody may read a number out of it. */
export type Reading<T> =
  | { readonly kind: "known"; readonly value: T; readonly ageMs: number }
  | { readonly kind: "unknown"; readonly why: string };

export type PodFacts = {
  readonly name: string;
  readonly uid: string;
  /** Opaque name on the wire. */
  readonly key: string;
  readonly resourceVersion: string;
  readonly ip: string | undefined;
  readonly node: string | undefined;
  readonly revision: string;
  readonly set: "attached" | "draining";
  readonly traffic: PodMode;
  /** Uid of its controller: the ReplicaSet, or the WebSocketCluster once detached. */
  readonly ownerUid: string | undefined;
  readonly phase: string;
  readonly ready: boolean;
  readonly readySinceMs: number | undefined;
  readonly deleting: boolean;
  /** Of a pod that is being deleted: when it is killed, and how much time it was given. */
  readonly end: { readonly atMs: number; readonly graceMs: number } | undefined;
  /** The main container runs; a pod where it does not holds no socket. */
  readonly running: boolean;
  /** Why it does not run or keeps dying, from the container's status. */
  readonly trouble: { readonly reason: string; readonly message: string } | undefined;
  readonly createdAtMs: number;
  /** When it was detached; undefined on attached pods, and on pods that an older version detached. */
  readonly drainingSinceMs: number | undefined;
  /** Why it was detached. */
  readonly leavesFor: "scaleDown" | "recycle";
};

/** Arrivals that nobody named, as seen over several observations. */
export type ArrivalFacts = {
  /** The number has not risen between these two observations. */
  readonly steadyFromMs: number;
  readonly steadyToMs: number;
};

export type ServerPodFacts = PodFacts & {
  readonly state: Reading<PodState>;
  readonly arrivals: ArrivalFacts | undefined;
};

export type EdgePodFacts = PodFacts & { readonly state: Reading<EdgeState> };

export const SET_ROLES = ["stable", "candidate", "superseded", "retired"] as const;
export type SetRole = (typeof SET_ROLES)[number];

/**
 * Where a set stands; see rollout.ts for the diagram.
 * serve: stable. provision..move: candidate (a superseded set keeps the step it had). back: gives its clients back.
 * retain: warm, the way back. seal: empties and shrinks. history: at zero.
 */
export const SET_STEPS = [
  "serve",
  "provision",
  "verify",
  "approve",
  "trial",
  "grow",
  "switch",
  "settle",
  "move",
  "back",
  "retain",
  "seal",
  "history",
] as const;
export type SetStep = (typeof SET_STEPS)[number];

/** A step of the trial: its pods come, its share is led to them, its part of the connections moves, it is watched. */
export const TRIAL_PHASES = ["grow", "share", "move", "pause"] as const;
export type TrialPhase = (typeof TRIAL_PHASES)[number];

/** How far a candidate is that takes over in steps; kept after the last one. */
export type TrialMarks = {
  /** Step that runs or ran last, from 0. */
  readonly index: number;
  readonly phase: TrialPhase;
  /** Begin of the phase. */
  readonly sinceMs: number;
  /** Begin of the step's moves: what is judged is judged from here on. */
  readonly judgedFromMs: number;
  /** As it was when the trial began: wanted pods, pods of the sets that are left, connections on them. */
  readonly wantedPods: number;
  readonly oldPods: number;
  readonly oldConnections: number;
};

/** A pod template as it is stored and sent. */
export type Template = {
  readonly metadata: {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>>;
};

/** The facts that cannot be derived; they live in annotations of the ReplicaSet and are written before the act. */
export type SetMarks = {
  readonly role: SetRole;
  readonly step: SetStep;
  readonly color: string;
  /** REVISION/N. */
  readonly attempt: string;
  readonly startedAtMs: number;
  readonly switchedAtMs: number | undefined;
  readonly movedAtMs: number | undefined;
  /** The last restart that it has behind it. */
  readonly restartedAtMs: number | undefined;
  readonly trial: TrialMarks | undefined;
  /** REASON:text of an aborted attempt, while its revision is still the wanted one. */
  readonly aborted: string | undefined;
};

export type SetBody = {
  readonly revision: string;
  readonly image: string;
  readonly rendererVersion: string;
  /** Exactly what was rendered when the revision began, whatever the renderer makes of the spec today. */
  readonly template: Template;
  /** The parts of the specification that it was rendered from, as JSON; undefined on sets of older versions. */
  readonly source: string | undefined;
};

/** A ReplicaSet of server pods. */
export type SetFacts = SetBody &
  SetMarks & {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly createdAtMs: number;
    /** Traffic label of its template: that of the pods that are born now. */
    readonly traffic: PodMode;
    /** spec.replicas. */
    readonly replicas: number;
    /** What its controller has counted; undefined when it has not seen the last spec yet. */
    readonly countedPods: number | undefined;
  };

/** A ReplicaSet of edge pods. */
export type EdgeSetFacts = SetBody & {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly createdAtMs: number;
  readonly replicas: number;
  readonly countedPods: number | undefined;
  readonly traffic: PodMode;
  /** When its pods left the Service for good; undefined on the set in use. */
  readonly drainingSinceMs: number | undefined;
};

/** What a gate says of a candidate at one point of one attempt. */
export type Verdict =
  | { readonly kind: "pass" }
  | { readonly kind: "fail"; readonly why: string }
  /** Not enough is known yet: the rollout waits, and does what `rollout.onFailure` says at its deadline. */
  | { readonly kind: "inconclusive"; readonly why: string };

/** Points of a rollout at which it is judged; steps count from 1. `move` is the rest, after all new connections were led over. */
export type GatePoint = "preflight" | "verify" | `step ${number}` | "move";

export type GateAt = {
  /** REVISION/N. */
  readonly attempt: string;
  readonly point: GatePoint;
  /** Since when the rollout stands at this point; undefined before the attempt has begun. */
  readonly sinceMs: number | undefined;
};

/** Absent = nothing of the kind is configured, which passes. What is configured and not decided yet is inconclusive. */
export type GateFacts = {
  readonly preflight?: Verdict;
  readonly synthetic?: Verdict;
  readonly analysis?: Verdict;
  readonly webhooks?: Verdict;
};

export type ClusterFacts = {
  /** Wall clock. */
  readonly nowMs: number;
  readonly cluster: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly generation: number;
    readonly deleting: boolean;
    readonly status: WebSocketClusterStatus | undefined;
  };
  readonly spec: WebSocketClusterSpec;
  readonly defaults: OperatorDefaults;
  /** The kill switch of the whole operator. */
  readonly operatorPaused: boolean;
  /** Far more clients come than usual; undefined = no storm. */
  readonly storm: StormFacts | undefined;
  /** Hash of the parts of the spec that touch server pods and edge pods. */
  readonly wanted: {
    readonly servers: string;
    readonly edge: string;
    /** The restart that is in `servers`. */
    readonly restartedAt: string | undefined;
    /** A restart that waits for its moment. */
    readonly restartsAtMs: number | undefined;
  };
  readonly sets: readonly SetFacts[];
  readonly pods: readonly ServerPodFacts[];
  readonly edgeSets: readonly EdgeSetFacts[];
  readonly edgePods: readonly EdgePodFacts[];
  readonly instructions: EdgeInstructions | undefined;
  /** Stored haproxy.cfg texts, one per edge revision. */
  readonly edgeConfigs: readonly {
    readonly revision: string;
    readonly name: string;
    readonly uid: string;
    readonly text: string;
  }[];
  readonly config: { readonly generation: number; readonly body: string } | undefined;
  readonly keysExist: boolean;
  /** PodDisruptionBudgets that exist, by name. */
  readonly budgets: readonly { readonly name: string; readonly uid: string; readonly resourceVersion: string }[];
  /** Name of a budget of the user's that selects a pod, by the pod's uid; absent = there is none. */
  readonly otherBudgets?: ReadonlyMap<string, string>;
  /** Nodes with pods of ours that tell something; undefined when nodes cannot be read. */
  readonly nodes: ReadonlyMap<string, NodeFacts> | undefined;
  readonly memory: MemoryFacts;
  /** How the load lies; undefined or absent where nobody measures it. */
  readonly balance?: BalanceFacts | undefined;
  /** What the operator's own autoscaler chose; absent where there is none. */
  readonly autoscale?: AutoscaleFacts | undefined;
  /** Where the rollout stands to be judged now, and the verdicts on it; undefined where there is nothing to judge. */
  readonly gate:
    | {
        readonly at: GateAt;
        readonly verdicts: GateFacts;
        /** The numbers behind `verdicts.preflight`, where it is checked. */
        readonly preflight: PreflightStatus | undefined;
      }
    | undefined;
};

/** A WebSocketRebalance of this cluster. */
export type RebalanceObject = {
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  readonly hasOwner: boolean;
  readonly spec: WebSocketRebalanceSpec;
  readonly status: WebSocketRebalanceStatus | undefined;
  /** As this process knows it, else as it was written last; undefined while nothing has been planned. */
  readonly proposal: Proposal | undefined;
  readonly writtenAtMs: number | undefined;
};

export type BalanceFacts = {
  readonly settings: RebalanceSettings;
  readonly advice: Advice;
  /** By KEY: 1 = the mean. Pods of which the load is known now. */
  readonly loads: ReadonlyMap<string, number>;
  readonly servingPods: number;
  readonly health: ReadonlyMap<string, PodHealth>;
  /** What would be done at this moment; undefined while too little is known, or nobody asks. */
  readonly requestPlan: RebalancePlan | undefined;
  /** Oldest first. */
  readonly requests: readonly RebalanceObject[];
  /** The one that runs without an object. */
  readonly automatic: Proposal | undefined;
};

export type AutoscaleFacts = {
  /** Pods that the present load needs; undefined = too little is known. */
  readonly wanted: number | undefined;
  /** What is followed: it stands in `spec.replicas` of these facts already. */
  readonly replicas: number;
  readonly message: string;
  /** Name of a HorizontalPodAutoscaler that scales the same cluster: then ours stands back. */
  readonly rival: string | undefined;
};

export type StormFacts = { readonly arrivalsPerSecond: number; readonly admittedPerSecond: number };

export type NodeFacts = {
  /** Somebody may be about to drain it: nothing new is to go there. */
  readonly cordoned: boolean;
  /** It is about to be removed: why. */
  readonly doomed: string | undefined;
};

/** What this process remembers between passes; losing it costs time, never safety. */
export type MemoryFacts = {
  /** Tokens in the fleet's bucket now. */
  readonly tokens: number;
  /** The same for moves with somebody else's deadline. */
  readonly emergencyTokens: number;
  /** Pace of ordinary moves as it was learnt from those who take in; at most `moves.maxPerSecond`. */
  readonly perSecond: number;
  /** Time since the measure of progress last got better, and the measure's best value. */
  readonly progress: { readonly of: string; readonly sinceMs: number } | undefined;
  readonly grants: readonly SentGrant[];
  /** Connections per second that left donors lately; undefined = not known. */
  readonly movedPerSecond: number | undefined;
  /** Connections that were still on pods which ended while the store was away. */
  readonly cutUnderFreeze: number;
};

export type OperatorDefaults = {
  readonly agentImage: string;
  readonly edgeImage: string;
};

/** A reading older than this is unknown. */
export const FRESH_MS = 6_000;

export function isFresh<T>(reading: Reading<T>): reading is Extract<Reading<T>, { kind: "known" }> {
  return reading.kind === "known" && reading.ageMs <= FRESH_MS;
}

/** The value when it may be relied on, else undefined. */
export function freshValue<T>(reading: Reading<T>): T | undefined {
  return isFresh(reading) ? reading.value : undefined;
}

/** Sockets on a pod: 0 where nothing can run, undefined where nobody knows. */
export function connectionsOf(pod: ServerPodFacts): number | undefined {
  if (!pod.running) return 0;
  const state = freshValue(pod.state);
  return state === undefined ? undefined : state.connections;
}

/** Known to hold nobody: nobody here, nobody being asked. */
export function isEmpty(pod: ServerPodFacts): boolean {
  if (!pod.running) return true;
  const state = freshValue(pod.state);
  return state !== undefined && state.connections === 0 && state.moving === 0;
}

/** Sockets that are known of, on all of these pods; what nobody knows is not in it. */
export function knownConnections(pods: readonly ServerPodFacts[]): number {
  return pods.reduce((sum, pod) => sum + (connectionsOf(pod) ?? 0), 0);
}
