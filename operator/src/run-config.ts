// Settings of the operator: environment first, flags on top. Not here: what they do.
import { LOG_LEVELS } from "@wscluster/platform";
import { z } from "zod";
import { parseAllowList } from "./gates/webhook-address.ts";

const list = z
  .string()
  .default("")
  .transform((text) =>
    text
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== ""),
  );

export const runConfigSchema = z.object({
  WSC_NAMESPACES: list.describe("Namespaces to operate, separated by commas; empty = all."),
  WSC_OPERATOR_NAMESPACE: z.string().min(1).default("wscluster-system").describe("Namespace of the Lease."),
  WSC_LEASE_NAME: z
    .string()
    .min(1)
    .default("wscluster-operator")
    .describe("Name of the Lease, and of the ConfigMap with the operator's switches."),
  WSC_AGENT_IMAGE: z
    .string()
    .min(1)
    .default("wscluster-operator:latest")
    .describe("Image of the edge agent for new edges."),
  WSC_EDGE_IMAGE: z.string().min(1).default("haproxy:lts-alpine").describe("Image of the proxy for new edges."),
  WSC_WEBHOOK_ALLOW: list
    .refine((entries) => parseAllowList(entries).wrong.length === 0, "must be hosts, *.domains, addresses or CIDRs")
    .describe("Hosts, *.domains, addresses and CIDRs that webhooks of rollouts may be called at; empty = none."),
  POD_NAME: z
    .string()
    .min(1)
    .default("wscluster-operator")
    .describe("Name of this pod, part of the leader's identity."),
  WSC_HTTP_PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(8080)
    .describe("Port of /livez, /readyz and /metrics."),
  WSC_WORKERS: z.coerce.number().int().min(1).max(64).default(4).describe("Clusters that are worked on at once."),
  WSC_LOG_LEVEL: z.enum(LOG_LEVELS).default("info").describe("Least level that is logged."),
});

export type RunConfig = z.infer<typeof runConfigSchema>;
