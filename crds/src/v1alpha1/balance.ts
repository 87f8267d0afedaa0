// The parts of a WebSocketCluster that say how its load is spread and how many pods it gets by itself.

import { z } from "zod";

const whole = (min: number, max: number) => z.int().min(min).max(max);
const weight = (what: string, standard: number) =>
  whole(0, 100).optional().describe(`Weight of ${what}. Defaults to ${standard}.`);

export const loadWeights = z
  .strictObject({
    connections: weight("the number of connections", 30),
    cpu: weight("CPU", 25),
    memory: weight("memory; in the health score only", 15),
    messageRate: weight("messages in and out", 20),
    responseTime: weight("the time from publish to answer; in the health score only", 10),
  })
  .describe("How much each measure counts in a pod's load and health. Only their relation matters.");

export const rebalanceSpec = z.strictObject({
  mode: z
    .enum(["Off", "Propose", "Automatic"])
    .optional()
    .describe(
      "Off measures and tells (without `rebalance` nothing is measured). Propose makes a WebSocketRebalance that waits for approval. Automatic moves by itself and makes no objects. Defaults to Off.",
    ),
  maxImbalancePercent: whole(10, 500)
    .optional()
    .describe("A pod that stays further than this from the mean load starts a rebalance. Defaults to 30."),
  weights: loadWeights.optional(),
  cooldownSeconds: whole(30, 86_400)
    .optional()
    .describe("After one rebalance none begins by itself for this long. Defaults to 300."),
  maxMovePercent: whole(1, 100)
    .optional()
    .describe("Most connections that one rebalance moves, as a part of all. Defaults to 20."),
  minPodAgeSeconds: whole(0, 86_400)
    .optional()
    .describe(
      "A pod that has been ready for less than this is never called hot: what it gets now is the rush to an empty pod. Defaults to 300.",
    ),
});

export const autoscalingSpec = z
  .strictObject({
    minReplicas: whole(1, 2000).optional().describe("Fewest pods. Defaults to 2."),
    maxReplicas: whole(1, 2000).describe("Most pods."),
    connectionsPerReplica: whole(1, 100_000)
      .optional()
      .describe("Connections that a pod is to have on average; more pods are made above it. Absent = not looked at."),
    cpuPercent: whole(10, 100)
      .optional()
      .describe(
        "CPU that a pod is to use on average, as a part of one core or of its CPU limit. Absent = not looked at.",
      ),
    scaleDownStabilizationSeconds: whole(0, 86_400)
      .optional()
      .describe(
        "Pods are taken away only when fewer would have done for all of this time. Never during a rollout. Defaults to 300.",
      ),
  })
  .meta({
    "x-kubernetes-validations": [
      {
        rule: "(has(self.minReplicas) ? self.minReplicas : 2) <= self.maxReplicas",
        message: "`minReplicas` must not be above `maxReplicas`",
      },
      {
        rule: "has(self.connectionsPerReplica) || has(self.cpuPercent)",
        message: "at least one of `connectionsPerReplica` and `cpuPercent` must be set",
      },
    ],
  });
