// Status of a WebSocketCluster: a report that can be rebuilt; nothing reads it back to decide.

import { z } from "zod";

const count = (what: string) => z.int().min(0).max(2_147_483_647).describe(what);

export const condition = z.strictObject({
  type: z.string().max(64).describe("Kind of condition."),
  status: z.enum(["True", "False", "Unknown"]).describe("Whether it holds."),
  reason: z.string().min(1).max(64).describe("Why, as one CamelCase word; each is documented."),
  message: z.string().max(2048).describe("Why, for people."),
  lastTransitionTime: z.string().max(64).describe("When `status` last changed.").meta({ format: "date-time" }),
  observedGeneration: z
    .int()
    .min(0)
    .max(9_007_199_254_740_991)
    .optional()
    .describe("Generation of the spec that this speaks of."),
});

export const setStatus = z.strictObject({
  revision: z.string().max(63).describe("Hash of the pod template."),
  color: z.string().max(16).describe("blue or green: a name for people."),
  role: z.string().max(16).describe("stable, candidate, superseded or retired."),
  image: z.string().max(512).describe("Server image."),
  replicas: count("Pods."),
  ready: count("Ready pods."),
  connections: count("Connections on its pods.").optional(),
  worstHealth: z.int().min(0).max(100).optional().describe("Lowest health score of its pods: 100 = idle, 0 = full."),
});

export const preflightStatus = z.strictObject({
  attempt: z.string().max(80).describe("Attempt (REVISION/N) that was checked."),
  result: z
    .enum(["Passed", "Warned", "Failed"])
    .describe("The worst of the checks; Failed only where it holds the rollout."),
  clients: z.string().max(512).describe("What clients of each kind will see."),
  checks: z
    .array(
      z.strictObject({
        name: z.string().max(32).describe("Name of the check."),
        result: z.enum(["Ok", "Warn", "Fail"]).describe("What it found."),
        number: z.int().min(0).max(2_147_483_647).optional().describe("What there is; absent where nobody knows."),
        needed: z.int().min(0).max(2_147_483_647).optional().describe("What is needed."),
        message: z.string().max(512).describe("The same for people."),
      }),
    )
    .max(16)
    .describe("The checks.")
    .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] }),
});

export const rolloutStatus = z.strictObject({
  attempt: z.string().max(80).describe("REVISION/N: names this attempt in approve and abort."),
  phase: z.string().max(32).describe("Where it stands, in words, for display."),
  step: z.int().min(1).max(64).optional().describe("Number of the step that runs, while steps run."),
  steps: z.int().min(1).max(64).optional().describe("How many steps there are, slices included."),
  from: z.string().max(63).describe("Revision that is left."),
  to: z.string().max(63).describe("Revision that takes over."),
  startedAt: z.string().max(64).describe("Start."),
  connectionsLeft: count("Connections still on the old set."),
  percentMoved: z.int().min(0).max(100).describe("Part that has left the old set."),
  moved: count("Moved without a break."),
  resumed: count("Came back by an ordinary resume."),
  cut: count("Closed because they could not or did not move."),
  unknown: count("Fate not known yet."),
  etaSeconds: z
    .int()
    .min(0)
    .max(2_147_483_647)
    .optional()
    .describe("Seconds until the last one has moved, at the present pace."),
  etaEarliestSeconds: z
    .int()
    .min(0)
    .max(2_147_483_647)
    .optional()
    .describe("The same if the pace that is allowed now is reached."),
  etaLatestSeconds: z
    .int()
    .min(0)
    .max(2_147_483_647)
    .optional()
    .describe("The same if the pace is halved once because those who take in are under pressure."),
  limitedBy: z
    .string()
    .max(64)
    .optional()
    .describe(
      "What holds the pace down: Nothing, Budget (`moves.maxPerSecond`), Pressure (of those who take in), TargetsFull, NoTarget, RolloutPaused, MovesPaused, DependencyFreeze or NotHandedOver.",
    ),
  waiting: z
    .strictObject({
      reason: z.string().max(64).describe("What is waited for."),
      message: z.string().max(1024).describe("The same for people, with the numbers."),
      since: z.string().max(64).describe("Since when."),
      deadline: z.string().max(64).optional().describe("Until when."),
      then: z.string().max(256).optional().describe("What happens at the deadline."),
      unblock: z.string().max(256).optional().describe("Who or what can end the wait."),
    })
    .optional()
    .describe("What the rollout waits for."),
});

const percent = (what: string) => z.int().min(0).max(1_000_000).describe(what);

export const loadStatus = z.strictObject({
  imbalancePercent: percent("Distance of the farthest pod from the mean load, in percent of the mean.").optional(),
  knownPods: count("Pods whose load is known."),
  servingPods: count("Pods that serve."),
  hottest: z.string().max(253).optional().describe("Pod with the most load."),
  hottestPercent: percent("Its load, in percent of the mean.").optional(),
  coldest: z.string().max(253).optional().describe("Pod with the least load."),
  coldestPercent: percent("Its load, in percent of the mean.").optional(),
  worstHealth: z.int().min(0).max(100).optional().describe("Lowest health score of a pod: 100 = idle, 0 = full."),
  hotPartitions: z
    .array(z.string().max(300))
    .max(8)
    .optional()
    .describe("POD/PARTITION that alone are a large part.")
    .meta({ "x-kubernetes-list-type": "atomic" }),
  hotChannels: z
    .array(z.string().max(600))
    .max(8)
    .optional()
    .describe("POD/CHANNEL that alone are a large part.")
    .meta({ "x-kubernetes-list-type": "atomic" }),
});

export const autoscalingStatus = z.strictObject({
  wanted: count("Pods that the present load needs.").optional(),
  replicas: count("Pods that the autoscaler has chosen."),
  message: z.string().max(512).describe("Why, with the numbers."),
});

export const webSocketClusterStatus = z.strictObject({
  observedGeneration: z
    .int()
    .min(0)
    .max(9_007_199_254_740_991)
    .optional()
    .describe("Generation of the spec that was last acted on."),
  conditions: z
    .array(condition)
    .max(16)
    .optional()
    .describe("Conditions.")
    .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"] }),
  replicas: count("Server pods.").optional(),
  ready: z
    .string()
    .max(16)
    .optional()
    .describe("Ready and wanted pods of the set that takes new connections, as in 3/3."),
  active: z.string().max(96).optional().describe("Set that takes new connections: color and image tag."),
  candidate: z.string().max(96).optional().describe("Set that is taking over."),
  connections: count("Connections of the fleet, rounded while nothing moves.").optional(),
  moving: z.string().max(64).optional().describe("Progress of the running move, as in 320/500."),
  selector: z.string().max(512).optional().describe("Label selector of all server pods, for the scale subresource."),
  sets: z
    .array(setStatus)
    .max(16)
    .optional()
    .describe("Sets of server pods.")
    .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["revision"] }),
  load: loadStatus.optional().describe("How evenly the load lies, rounded."),
  autoscaling: autoscalingStatus.optional().describe("What the operator's own autoscaler does."),
  edge: z
    .strictObject({ replicas: count("Edge pods."), ready: count("Ready edge pods.") })
    .optional()
    .describe("The edge."),
  moves: z
    .strictObject({
      held: z.string().max(64).optional().describe("What stops moves now: the reason of the condition `MovesAllowed`."),
      cutUnderFreeze: count(
        "Connections that were still on pods which ended while the store was away, since this operator leads.",
      ).optional(),
    })
    .optional()
    .describe("What holds for all moves; absent when nothing does."),
  rollout: rolloutStatus.optional().describe("The running or last rollout."),
  preflight: preflightStatus
    .optional()
    .describe("What was checked before clients were led to the running or last candidate."),
});

export type WebSocketClusterStatus = z.infer<typeof webSocketClusterStatus>;
export type Condition = z.infer<typeof condition>;
export type SetStatus = z.infer<typeof setStatus>;
export type PreflightStatus = z.infer<typeof preflightStatus>;
export type RolloutStatus = z.infer<typeof rolloutStatus>;
