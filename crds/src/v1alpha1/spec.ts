// The WebSocketCluster: the one source of its types, CRD schema, validation and reference.
// Rules of the house: integers with the unit in the name, every field described and bounded, no unions (a mode and optional
// members with CEL instead), defaults only where a later change of them rolls nothing. Not here: CRD rendering (gen/).

import { z } from "zod";
import { autoscalingSpec, rebalanceSpec } from "./balance.ts";
import { auth, permissions } from "./auth.ts";
import { limits, namespaces, routes } from "./traffic.ts";

/** How a change of a field reaches running pods; `plan` prints it. */
export type Rolls = "servers" | "edge" | "live";

const text = (max: number) => z.string().min(1).max(max);
const whole = (min: number, max: number) => z.int().min(min).max(max);
const quantity = z
  .string()
  .max(32)
  .regex(/^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$/);
const amounts = z.record(text(63), quantity).meta({ maxProperties: 16 });
const image = text(512).describe("Container image with tag or digest.");

const resources = z
  .strictObject({
    requests: amounts.optional().describe("Requested amounts, by resource."),
    limits: amounts.optional().describe("Limits, by resource."),
  })
  .describe("Compute resources of the container.");

const envVar = z
  .strictObject({
    name: text(128)
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
      .describe("Name of the variable. Names that begin with WSC_ are the operator's."),
    value: z.string().max(4096).optional().describe("Value."),
  })
  .meta({
    "x-kubernetes-validations": [
      {
        rule: "!self.name.startsWith('WSC_')",
        message: "`name` must not begin with WSC_: those variables are set by the operator",
      },
    ],
  });

export const serverSpec = z
  .strictObject({
    image,
    imagePullPolicy: z
      .enum(["Always", "IfNotPresent", "Never"])
      .optional()
      .describe("When the kubelet pulls the image. Defaults to IfNotPresent."),
    port: whole(1024, 65535).optional().describe("Port for clients. Defaults to 8080."),
    adminPort: whole(1024, 65535)
      .optional()
      .describe("Port for probes, metrics and the pod contract. Defaults to 8081."),
    path: z
      .string()
      .max(128)
      .regex(/^\/[A-Za-z0-9/_.-]*$/)
      .optional()
      .describe("URL path of the WebSocket endpoint. Defaults to /ws."),
    env: z
      .array(envVar)
      .max(64)
      .optional()
      .describe("Environment of the server container.")
      .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] }),
    resources: resources.optional(),
    terminationGracePeriodSeconds: whole(10, 86_400)
      .optional()
      .describe("Time that a pod has to move its clients when it is deleted from outside. Defaults to 300."),
  })
  .meta({
    "x-kubernetes-validations": [
      {
        rule: "(has(self.port) ? self.port : 8080) != (has(self.adminPort) ? self.adminPort : 8081)",
        message: "`port` and `adminPort` must differ",
      },
    ],
  });

export const redisSpec = z
  .strictObject({
    url: z
      .string()
      .max(512)
      .regex(/^rediss?(\+sentinel|\+cluster)?:\/\/.+$/)
      .optional()
      .describe(
        "`redis://HOST:PORT`, `redis+sentinel://HOST:PORT,HOST:PORT/NAME` or `redis+cluster://HOST:PORT,HOST:PORT`, `rediss` for TLS; without a password, use `urlSecretRef` for one with a password.",
      ),
    urlSecretRef: z
      .strictObject({
        name: text(253).describe("Name of the Secret."),
        key: text(253).describe("Key whose value is the URL."),
      })
      .optional()
      .describe("Secret that holds the URL."),
    durability: z
      .enum(["memory", "replicated"])
      .optional()
      .describe(
        "When a publish is acknowledged: `memory` = the primary has it, `replicated` = a replica as well (WAIT 1). Defaults to memory.",
      ),
    keyPrefix: z
      .string()
      .max(64)
      .regex(/^[A-Za-z0-9_.-]+$/)
      .optional()
      .describe("Prefix of every key. Defaults to NAMESPACE.NAME of the cluster."),
    ingestChannel: text(128)
      .regex(/^[^{}\s]+$/)
      .optional()
      .describe(
        "Redis channel whose messages `{target_type, target_id, data}` are delivered to their targets. Absent = none.",
      ),
  })
  .meta({
    "x-kubernetes-validations": [
      {
        rule: "has(self.url) != has(self.urlSecretRef)",
        message: "exactly one of `url` and `urlSecretRef` must be set",
      },
      {
        rule: "!has(self.url) || !self.url.matches('^rediss?([+](sentinel|cluster))?://[^/]*@')",
        message: "`url` must not hold a user or password: put such a URL into a Secret and name it in `urlSecretRef`",
      },
    ],
  });

const rolloutStep = z
  .strictObject({
    newConnectionsPercent: whole(0, 100).describe(
      "Part of the new connections that the candidate gets in this step; the rest goes where it went before. Clients that name their pod are not touched.",
    ),
    movePercent: whole(0, 100).describe(
      "Part of the old set's connections that is to have left it at the end of this step, all steps together. They are chosen at random, so that they tell something about the others.",
    ),
    pauseSeconds: whole(0, 86_400)
      .optional()
      .describe("How long the step is watched after its connections have moved, before it is judged. Defaults to 0."),
  })
  .describe("One step of a rollout.");

const percent = (most = 100) => whole(0, most).optional();

const rolloutAnalysis = z
  .strictObject({
    intervalSeconds: whole(5, 3_600)
      .optional()
      .describe("Shortest time over which a step is judged. A clear failure is told at once. Defaults to 30."),
    minSample: whole(1, 1_000_000)
      .optional()
      .describe(
        "Least number of events (arrivals, resumes, moves, publishes; each check has its own) from which a share is judged. Defaults to 20.",
      ),
    maxFailedResumePercent: percent().describe(
      "Resumes and moves that the candidate's pods refused, of all that came to them. Defaults to 5.",
    ),
    maxFailedMovePercent: percent().describe(
      "Moves of this attempt that were refused, too late or cut, of all that were asked for; clients that cannot move are not counted. Defaults to 10.",
    ),
    maxErrorPercent: percent().describe("Errors, of all messages and connections of the candidate. Defaults to 5."),
    maxRefusedPercent: percent().describe("Refused connections, of all that came to the candidate. Defaults to 5."),
    maxPressurePercent: percent().describe(
      "Highest pressure of a candidate's pod; 100 = it cannot take more. Defaults to 90.",
    ),
    maxGapsPerThousand: whole(0, 1_000_000)
      .optional()
      .describe("Gaps that the candidate's pods told their clients, for a thousand arrivals. Absent = not judged."),
    maxDuplicatePercent: percent().describe(
      "Publishes that the candidate had stored before, of all publishes. Absent = not judged.",
    ),
    maxLatencyPercent: whole(100, 100_000)
      .optional()
      .describe(
        "Mean time of a publish on the candidate, of that on the old set over the same interval: 150 = half as long again. Absent = not judged.",
      ),
  })
  .describe(
    "Judges each step by what its pods measured, new against old over the same interval. What both sets suffer from is not the candidate's fault. Absent = steps are not judged.",
  );

const rolloutWebhook = z
  .strictObject({
    name: text(63)
      .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/)
      .describe("Name, in messages."),
    url: text(512)
      .regex(/^https?:\/\/[^\s@]+$/)
      .describe(
        "Address that is asked with POST. Its host must be allowed by the operator's `--webhook-allow`. 200 = go on, 4xx = no; anything else is asked again.",
      ),
    phase: z
      .enum(["Preflight", "Verify", "Step", "Promotion"])
      .describe(
        "When it is asked: Preflight before anything is made, Verify when the candidate's pods are ready and nobody was led there, Step after each step, Promotion before all new connections go to the candidate.",
      ),
    timeoutSeconds: whole(1, 60).optional().describe("Longest time for an answer. Defaults to 10."),
  })
  .describe("A service that is asked whether the rollout may go on.");

export const rolloutSpec = z.strictObject({
  promotion: z
    .enum(["Automatic", "Manual"])
    .optional()
    .describe(
      "Manual waits, once the candidate's pods are ready and verified, until `approvedAttempt` names the attempt. Defaults to Automatic.",
    ),
  approvedAttempt: z
    .string()
    .max(80)
    .optional()
    .describe("Attempt (REVISION/N) that may go on. A name that is not the running attempt does nothing and says so."),
  paused: z
    .boolean()
    .optional()
    .describe(
      "Holds a running rollout where it is: no step is taken, nothing moves for it, and no deadline runs. An abort is still followed. False goes on.",
    ),
  previewReplicas: whole(1, 2000)
    .optional()
    .describe(
      "Pods of a candidate before it is approved; the Service NAME-preview leads to them. Afterwards it gets all of its pods. Defaults to all.",
    ),
  surgePercent: whole(5, 100)
    .optional()
    .describe(
      "How much of the fleet may exist twice. 100 makes all pods of the candidate first. 25 makes a quarter, moves as many connections, retires as many old pods, and so on. Defaults to 100.",
    ),
  steps: z
    .array(rolloutStep)
    .max(20)
    .optional()
    .describe("Steps before all new connections go to the candidate. Absent = none.")
    .meta({
      "x-kubernetes-list-type": "atomic",
      "x-kubernetes-validations": [
        {
          rule: "self.map(s, s.newConnectionsPercent).isSorted() && self.map(s, s.movePercent).isSorted()",
          message: "no step may go back behind the one before it: the percentages must not fall",
        },
      ],
    }),
  preflight: z
    .enum(["Enforce", "Warn"])
    .optional()
    .describe(
      "What a check does that certainly fails before the rollout begins and before the first client is led to the candidate: Enforce holds the rollout, Warn tells and goes on. What cannot be known never holds it. Defaults to Enforce.",
    ),
  syntheticClient: z
    .enum(["Enforce", "Warn", "Off"])
    .optional()
    .describe(
      "A client of the operator connects to each new pod and publishes to itself before any user is led there. Enforce waits until that worked, Warn tells and goes on. Defaults to Enforce.",
    ),
  analysis: rolloutAnalysis.optional(),
  webhooks: z
    .array(rolloutWebhook)
    .max(8)
    .optional()
    .describe("Services of yours that are asked whether the rollout may go on.")
    .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] }),
  onFailure: z
    .enum(["Abort", "Pause"])
    .optional()
    .describe(
      "What happens when a step is judged to have failed, or when there was no progress until the deadline. Abort leads everybody back to the old set; Pause leaves everything as it is until somebody decides. Defaults to Abort.",
    ),
  retainSeconds: whole(0, 86_400)
    .optional()
    .describe(
      "How long the old set stays warm after the last connection moved, for an instant way back. Defaults to 300.",
    ),
  progressDeadlineSeconds: whole(30, 86_400)
    .optional()
    .describe(
      "Longest time without progress (connections left not falling, pods not becoming ready) before the rollout is aborted. Defaults to 600.",
    ),
  revisionHistoryLimit: whole(1, 20).optional().describe("Old revisions kept at zero replicas. Defaults to 5."),
  abortedAttempt: z
    .string()
    .max(80)
    .optional()
    .describe("Attempt (REVISION/N) to abort. A name that is not the running attempt does nothing and says so."),
});

export const moveWindow = z.strictObject({
  days: z
    .array(z.enum(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]))
    .min(1)
    .max(7)
    .optional()
    .describe("Days on which it opens, in its time zone; absent = every day.")
    .meta({ "x-kubernetes-list-type": "set" }),
  start: z
    .string()
    .max(5)
    .regex(/^([01][0-9]|2[0-3]):[0-5][0-9]$/)
    .describe("When it opens, as HH:MM of 24 hours in its time zone."),
  durationMinutes: whole(1, 10_080).describe("How long it stays open, in minutes of real time."),
  timeZone: z
    .string()
    .min(1)
    .max(64)
    .regex(/^[A-Za-z0-9_+/-]+$/)
    .optional()
    .describe("Time zone of the IANA list, as in Europe/Berlin. Defaults to UTC."),
});

export const disruptionSpec = z.strictObject({
  nodeDrain: z
    .boolean()
    .optional()
    .describe(
      "Follow nodes: pods on a cordoned node are replaced one after another, pods on a node that is about to be removed give their connections away at once. False leaves it to evictions and to the pods' own drains. Defaults to true.",
    ),
  cordonBatch: whole(1, 100)
    .optional()
    .describe("Most pods that leave cordoned nodes at a time; each only when its replacement is ready. Defaults to 1."),
  deadlineSeconds: whole(10, 86_400)
    .optional()
    .describe(
      "Longest time that a detached pod may take to give its connections away. Then it is deleted: its clients are asked once more, and those that cannot move are closed with a window to come back in, and counted. Defaults to 900.",
    ),
});

export const webSocketClusterSpec = z
  .strictObject({
    replicas: whole(0, 2000).default(2).describe("Pods of the set that takes new connections."),
    server: serverSpec.describe("The server pods. A change here makes a new revision: a blue-green rollout."),
    redis: redisSpec.describe("Redis or Valkey that holds streams, sessions and receipts."),
    config: z
      .strictObject({
        connections: z
          .strictObject({
            maxPerPod: whole(1, 100_000).optional().describe("Most connections a pod takes. Defaults to 9000."),
            sessionTtlSeconds: whole(10, 3_600)
              .optional()
              .describe("How long a session can be resumed after its pod was last alive. Defaults to 120."),
            heartbeatSeconds: whole(5, 120)
              .optional()
              .describe("Ping interval where no traffic flows. Defaults to 20."),
          })
          .optional()
          .describe("Limits and times of connections."),
        history: z
          .strictObject({
            maxLength: whole(10, 1_000_000).optional().describe("Messages kept per channel. Defaults to 1000."),
            ttlSeconds: whole(150, 604_800)
              .optional()
              .describe("Seconds that a channel's messages are kept after the last one. Defaults to 300."),
          })
          .optional()
          .describe("History of channels."),
        permissions,
        limits,
        namespaces,
        routes,
      })
      .optional()
      .describe("Live configuration: reaches running pods without a restart."),
    auth,
    edge: z
      .strictObject({
        enabled: z
          .boolean()
          .optional()
          .describe(
            "Run HAProxy in front of the servers. Defaults to true. False leaves a Service for your own ingress; named moves then need an ingress that honours ?pod=KEY.",
          ),
        replicas: whole(1, 100).optional().describe("Edge pods. Defaults to 2."),
        image: image.optional().describe("Image of the proxy. Defaults to the operator's `--edge-image`."),
        agentImage: image
          .optional()
          .describe("Image of the agent; pinned at creation, so that an operator upgrade touches no edge pod."),
        resources: resources.optional(),
        newConnectionsPerSecond: whole(1, 1_000_000)
          .optional()
          .describe(
            "Most new connections per second that the edge lets in, over all its pods. More are answered 503 with a time to come back, and moves wait until the storm is over; a client that comes by name is always let in. Absent = no limit.",
          ),
        maxConnections: whole(10, 1_000_000)
          .optional()
          .describe("Most client connections of an edge pod; two files each. Defaults to 9000."),
        terminationGracePeriodSeconds: whole(10, 86_400)
          .optional()
          .describe(
            "Time that an edge pod gives its clients to move when it is deleted from outside; who is left in its last third is closed evenly over it. Defaults to 300.",
          ),
        service: z
          .strictObject({
            type: z
              .enum(["ClusterIP", "NodePort", "LoadBalancer"])
              .optional()
              .describe("Type of the Service for clients. Defaults to ClusterIP."),
            port: whole(1, 65535).optional().describe("Port of the Service. Defaults to 80."),
            annotations: z
              .record(text(253), z.string().max(4096))
              .meta({ maxProperties: 64 })
              .optional()
              .describe("Annotations of the Service."),
          })
          .optional()
          .describe("The Service that clients connect to."),
      })
      .optional()
      .describe("The proxy through which every socket goes."),
    rollout: rolloutSpec.optional().describe("How a new revision replaces the old one."),
    moves: z
      .strictObject({
        maxPerSecond: whole(1, 100_000)
          .optional()
          .describe("Most connections moved per second, over the whole fleet. Defaults to 200."),
        emergencyMaxPerSecond: whole(1, 100_000)
          .optional()
          .describe(
            "The same where somebody else's deadline binds: pods that are being deleted, nodes that are being removed. At least `maxPerSecond`. Defaults to five times `maxPerSecond`.",
          ),
        paused: z
          .boolean()
          .optional()
          .describe(
            "Kill switch: stops every move that the operator would ask for, also those off pods that have to go.",
          ),
        recycleAfterSeconds: whole(3_600, 31_536_000)
          .optional()
          .describe(
            "Pods older than this are replaced one after another, at the lowest rank: only while nothing else is going on. Absent = pods grow old.",
          ),
        windows: z
          .array(moveWindow)
          .max(32)
          .optional()
          .describe(
            "Maintenance windows: outside of them no rollout begins or moves connections, and nothing is scaled down, rebalanced or recycled. Pods that have to go, and the way back of an aborted rollout, do not wait. Absent = always.",
          )
          .meta({ "x-kubernetes-list-type": "atomic" }),
      })
      .meta({
        "x-kubernetes-validations": [
          {
            rule: "!has(self.emergencyMaxPerSecond) || self.emergencyMaxPerSecond >= (has(self.maxPerSecond) ? self.maxPerSecond : 200)",
            message: "`emergencyMaxPerSecond` must be at least `maxPerSecond`",
          },
        ],
      })
      .optional()
      .describe("Pace of all moves."),
    restartAt: z
      .string()
      .max(40)
      .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/)
      .optional()
      .meta({ format: "date-time" })
      .describe(
        "Restarts the servers: from this moment on a new revision with the same content takes over from the old, as after any other change. A moment in the future waits. An earlier one than the last restart, or none, restarts nothing.",
      ),
    rebalance: rebalanceSpec.optional().describe("How uneven load is found and evened out."),
    autoscaling: autoscalingSpec
      .optional()
      .describe(
        "The operator chooses the number of pods; `replicas` is then only where it begins. Leave it out where an HPA or KEDA writes `replicas`.",
      ),
    disruption: disruptionSpec.optional().describe("What happens when pods have to leave before their time."),
    paused: z.boolean().optional().describe("Stops all reconciliation of this cluster; the fleet goes on serving."),
  })
  .meta({
    "x-kubernetes-validations": [
      {
        rule: "!has(self.config) || !has(self.config.history) || !has(self.config.history.ttlSeconds) || self.config.history.ttlSeconds >= (has(self.config.connections) && has(self.config.connections.sessionTtlSeconds) ? self.config.connections.sessionTtlSeconds : 120) + 30",
        message:
          "`config.history.ttlSeconds` must be at least `config.connections.sessionTtlSeconds` + 30, or a session could resume into expired history",
      },
      {
        rule: "!has(self.rollout) || !has(self.edge) || !has(self.edge.enabled) || self.edge.enabled || ((!has(self.rollout.steps) || size(self.rollout.steps) == 0) && (!has(self.rollout.surgePercent) || self.rollout.surgePercent == 100))",
        message:
          "`rollout.steps` and `rollout.surgePercent` need the edge, which leads a part of the new connections: enable it or leave them out",
      },
    ],
  });

export type WebSocketClusterSpec = z.infer<typeof webSocketClusterSpec>;
export type MoveWindow = z.infer<typeof moveWindow>;
