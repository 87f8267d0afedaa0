// The WebSocketRebalance: one plan to even out the load of a cluster, for people who approve or stop it. The operator makes them
// where `rebalance.mode` is Propose; a user may make one as a request.

import { z } from "zod";
import { condition } from "./status.ts";

const count = (what: string) => z.int().min(0).max(2_147_483_647).describe(what);
const percent = (what: string) => z.int().min(0).max(1_000_000).describe(what);

export const webSocketRebalanceSpec = z
  .strictObject({
    clusterName: z.string().min(1).max(40).describe("Name of the WebSocketCluster in the same namespace."),
    approved: z.boolean().optional().describe("True lets it run. Defaults to false."),
    stopped: z.boolean().optional().describe("True ends it; what has moved stays where it is. Beats `approved`."),
    expiresAfterSeconds: z
      .int()
      .min(60)
      .max(604_800)
      .optional()
      .describe("A proposal that is not approved within this time expires. Defaults to 3600."),
  })
  .meta({
    "x-kubernetes-validations": [
      { rule: "self.clusterName == oldSelf.clusterName", message: "`clusterName` must not be changed" },
    ],
  });

export const rebalanceMove = z.strictObject({
  from: z.string().max(253).describe("Pod that gives."),
  to: z.string().max(253).describe("Pod that takes."),
  fromKey: z.string().max(63).describe("Name of the giving pod on the wire."),
  toKey: z.string().max(63).describe("Name of the taking pod on the wire."),
  partition: z.int().min(0).max(1023).optional().describe("Only connections of this partition; absent = any."),
  count: count("Connections to move."),
  granted: count("Connections for which permission was given so far."),
  why: z.string().max(512).describe("Why, with the numbers."),
});

const share = (what: string) =>
  z
    .strictObject({
      imbalancePercent: percent("Distance of the farthest pod from the mean load, in percent of the mean."),
    })
    .optional()
    .describe(what);

export const webSocketRebalanceStatus = z.strictObject({
  observedGeneration: z
    .int()
    .min(0)
    .max(9_007_199_254_740_991)
    .optional()
    .describe("Generation that was last acted on."),
  phase: z
    .enum(["Proposed", "Running", "Completed", "Stopped", "Expired"])
    .optional()
    .describe("Where it stands; the same as the one condition that is True."),
  conditions: z
    .array(condition)
    .max(8)
    .optional()
    .describe("Proposed, Running, Completed, Stopped and Expired.")
    .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"] }),
  proposedAt: z.string().max(64).optional().describe("When it was proposed."),
  since: z.string().max(64).optional().describe("Last change of `phase`."),
  progressAt: z.string().max(64).optional().describe("When a connection last settled."),
  before: share("The load when it was proposed."),
  predicted: share("The load as the plan expects it afterwards."),
  after: share("The load as it was measured afterwards."),
  moves: z
    .array(rebalanceMove)
    .max(512)
    .optional()
    .describe("What moves from where to where.")
    .meta({ "x-kubernetes-list-type": "atomic" }),
  reconnects: count("Connections that move; each is one migration of one client.").optional(),
  estimatedSeconds: count("Seconds that it takes at the pace allowed.").optional(),
  settled: count("Connections whose move is decided, one way or the other.").optional(),
  receipts: z
    .strictObject({
      offered: count("Asked."),
      moved: count("Moved without a break."),
      resumed: count("Came back by an ordinary resume."),
      refused: count("Said no, or the target did."),
      late: count("Were not there in time."),
      cut: count("Were closed."),
      unknown: count("Fate not known."),
    })
    .optional()
    .describe("What became of those who were asked."),
});

export type WebSocketRebalanceSpec = z.infer<typeof webSocketRebalanceSpec>;
export type WebSocketRebalanceStatus = z.infer<typeof webSocketRebalanceStatus>;
