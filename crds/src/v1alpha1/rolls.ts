// How a change of each spec field reaches running pods. One table: the reference prints it, and so does a plan of a change.
// Not here: the projection that makes the template hash (operator), which is tested against it.

import type { Rolls } from "./spec.ts";

/** By path from `spec`; the longest entry that is a prefix of a field's path counts. */
export const rollsByField: Readonly<Record<string, Rolls>> = {
  replicas: "live",
  server: "servers",
  redis: "servers",
  config: "live",
  auth: "servers",
  edge: "edge",
  "edge.image": "edge",
  "edge.agentImage": "edge",
  "edge.resources": "edge",
  "edge.maxConnections": "edge",
  "edge.terminationGracePeriodSeconds": "edge",
  "edge.newConnectionsPerSecond": "live",
  "edge.enabled": "live",
  "edge.replicas": "live",
  "edge.service": "live",
  rollout: "live",
  moves: "live",
  rebalance: "live",
  autoscaling: "live",
  restartAt: "servers",
  disruption: "live",
  paused: "live",
};

/** What a change of the field at `path` (`edge.service.port`) does, or undefined when the table does not know it. */
export function rollsOf(path: string): Rolls | undefined {
  const parts = path.split(".");
  for (let length = parts.length; length > 0; length -= 1) {
    const found = rollsByField[parts.slice(0, length).join(".")];
    if (found !== undefined) return found;
  }
  return undefined;
}
