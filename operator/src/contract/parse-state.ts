// Checks what pods and agents answer before anybody relies on it. A number that is missing makes the answer unusable:
// unknown must not turn into zero. Pure.
import type { EdgeState, PodState } from "@wscluster/protocol";
import { z } from "zod";

const count = z.number().min(0);
const receipts = z.object({
  offered: count,
  moved: count,
  resumed: count,
  refused: count,
  late: count,
  cut: count,
  unknown: count,
});

const podState = z.object({
  contract: z.literal(1),
  podKey: z.string(),
  bootNonce: z.string(),
  mode: z.enum(["active", "preview", "none"]),
  sealed: z.boolean(),
  terminating: z.boolean(),
  epoch: count,
  seq: count,
  refusedWrites: count,
  connections: count,
  sessions: z.object({ migrate: count, resume: count, plain: count }),
  preparing: count,
  capacity: count,
  arrivals: z.object({ named: count, unnamed: count }),
  load: z.object({
    cpu: z.number(),
    rssBytes: z.number(),
    eventLoopLagMs: z.number(),
    messagesInPerSecond: z.number(),
    messagesOutPerSecond: z.number(),
  }),
  pressure: z.number(),
  broker: z.object({
    ok: z.boolean(),
    lastOkAgoMs: z.number(),
    store: z
      .object({
        evictionPolicy: z.string().optional(),
        replicas: count.optional(),
        minReplicasToWrite: count.optional(),
      })
      .optional(),
  }),
  probe: count.optional(),
  moving: count,
  deadlineInMs: count.nullable().exactOptional(),
  receipts: z.record(z.string(), receipts),
  configGeneration: z.number(),
  speaks: z.object({ session: z.number(), ticket: z.number(), protocol: z.number() }),
});

const edgeState = z.object({
  edge: z.string(),
  generation: z.number(),
  servers: z.record(z.string(), z.object({ state: z.enum(["ready", "drain"]), address: z.string(), sessions: count })),
  share: z.object({ revision: z.string(), percent: z.number() }).exactOptional(),
  admission: z
    .object({ limitPerSecond: count, admittedPerSecond: count, refusedPerSecond: count, windowMs: count })
    .exactOptional(),
  connections: count,
  sourceAgeMs: z.number(),
});

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: string };

/** @param key KEY of the pod that was meant: an address may have been given to another pod meanwhile. */
export function parsePodState(body: unknown, key: string): Parsed<PodState> {
  const parsed = podState.safeParse(body);
  if (!parsed.success) return { ok: false, why: firstIssue(parsed.error) };
  if (parsed.data.podKey !== key)
    return { ok: false, why: `another pod (${parsed.data.podKey}) answers at its address` };
  return { ok: true, value: parsed.data };
}

export function parseEdgeState(body: unknown, key: string): Parsed<EdgeState> {
  const parsed = edgeState.safeParse(body);
  if (!parsed.success) return { ok: false, why: firstIssue(parsed.error) };
  if (parsed.data.edge !== key)
    return { ok: false, why: `another edge pod (${parsed.data.edge}) answers at its address` };
  return { ok: true, value: parsed.data };
}

function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  return `its answer is not the contract: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`.trim();
}
